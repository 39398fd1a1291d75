"""Writes the OpenAPI description and each example request with its response as files."""

import json
import tempfile
from pathlib import Path
from typing import Any

from api.contract.operation_examples import load_example_intakes, score_example
from api.contract.specification import build_openapi
from api.main import Service, create_app
from api.settings import Settings


def write_openapi_files(folder: Path) -> None:
    """Write openapi.json and examples/ into the folder."""
    for name, text in _render_files().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def find_outdated_files(folder: Path) -> list[str]:
    """Return the names of the files in the folder that are missing or differ from the code."""
    return [
        name
        for name, text in _render_files().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]


def _render_files() -> dict[str, str]:
    files = {"openapi.json": _format_json(build_openapi(_create_throwaway_app()))}
    for name, request in load_example_intakes().items():
        files[f"examples/{name}.request.json"] = _format_json(request)
        files[f"examples/{name}.response.json"] = _format_json(score_example(request))
    return files


def _create_throwaway_app() -> Service:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            database_file=Path(folder) / "nociscreen.db",
            key_ring_file=Path(folder) / "key-ring",
            database_url=None,
        )
        app = create_app(settings)
        app.services.store.close()
        return app


def _format_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
