"""Static files of the pages, addressed by the hash of their content."""

import hashlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@cache
def content(name: str) -> tuple[bytes, str] | None:
    """Return the bytes and the media type of a file, or None if there is no such file."""
    if name not in names():
        return None
    return (FOLDER / name).read_bytes(), KINDS[Path(name).suffix]


@cache
def names() -> frozenset[str]:
    """Return the names of all static files."""
    return frozenset(file.name for file in FOLDER.iterdir() if file.suffix in KINDS)


@cache
def address(name: str) -> str:
    """Return the URL path of a file; it changes with the content, so browsers may cache it.

    Raises KeyError if there is no such file.
    """
    static_file = content(name)
    if static_file is None:
        raise KeyError(name)
    return f"/static/{name}?v={hashlib.sha256(static_file[0]).hexdigest()[:16]}"
