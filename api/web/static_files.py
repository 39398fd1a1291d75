"""Static files: one style sheet and one script, known by the hash of their bytes."""

import hashlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@cache
def content(name: str) -> tuple[bytes, str] | None:
    """The bytes and the media type of a file; None where there is none of that name."""
    if name not in names():
        return None
    return (FOLDER / name).read_bytes(), KINDS[Path(name).suffix]


@cache
def names() -> frozenset[str]:
    """Every file there is."""
    return frozenset(each.name for each in FOLDER.iterdir() if each.suffix in KINDS)


@cache
def address(name: str) -> str:
    """Where a file is served; it changes with every byte of it, so a browser may keep it."""
    held = content(name)
    if held is None:
        raise KeyError(name)
    return f"/static/{name}?v={hashlib.sha256(held[0]).hexdigest()[:16]}"
