"""The contract as files: the API's description, and every example with the answer it gets."""

import json
import tempfile
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from api.contract.operation_examples import examples, scored
from api.contract.specification import describe
from api.main import create_app
from api.settings import Settings


def write(folder: Path) -> None:
    """Write openapi.json and examples/ into the folder."""
    for name, text in _files().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def differing(folder: Path) -> list[str]:
    """Names of the files in the folder that are missing or are not what the code says."""
    return [
        name
        for name, text in _files().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]


def _files() -> dict[str, str]:
    files = {"openapi.json": _text(describe(_app()))}
    for name, request in examples().items():
        files[f"examples/{name}.request.json"] = _text(request)
        files[f"examples/{name}.response.json"] = _text(scored(request))
    return files


def _app() -> FastAPI:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            database_file=Path(folder) / "nociscreen.db",
            key_ring_file=Path(folder) / "key-ring",
            database_url=None,
        )
        app = create_app(settings)
        app.state.store.close()
        return app


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
