"""Static files of the pages, addressed by the hash of their content."""

import hashlib
from functools import cache
from pathlib import Path

STATIC_FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@cache
def load_static_file(name: str) -> tuple[bytes, str] | None:
    """Return the bytes and the media type of a file, or None if there is no such file."""
    if name not in list_static_files():
        return None
    return (STATIC_FOLDER / name).read_bytes(), MEDIA_TYPES[Path(name).suffix]


@cache
def list_static_files() -> frozenset[str]:
    """Return the names of all static files."""
    return frozenset(file.name for file in STATIC_FOLDER.iterdir() if file.suffix in MEDIA_TYPES)


@cache
def build_static_url(name: str) -> str:
    """Return the URL path of a file, which changes with its content. Raises KeyError."""
    static_file = load_static_file(name)
    if static_file is None:
        raise KeyError(name)
    return f"/static/{name}?v={hashlib.sha256(static_file[0]).hexdigest()[:16]}"
