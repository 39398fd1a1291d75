"""Sends a file whole, or the one byte range requested (RFC 9110, section 14)."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from api.problems import Problem

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


class FileDownload(NamedTuple):
    """A file to download; `stream_bytes` yields its bytes, the same at every call."""

    media_type: str
    name: str
    etag: str
    stream_bytes: Callable[[], Iterator[bytes]]


def build_file_response(request: Request, file: FileDownload) -> Response:
    """Return the whole file, or the one range requested. Raises `range_not_satisfiable`."""
    headers = {
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "ETag": f'"{file.etag}"',
        "Accept-Ranges": "bytes",
        "Vary": "Accept",
    }
    byte_range = _RANGE.fullmatch(request.headers.get("range", ""))
    is_unchanged = request.headers.get("if-range") in (None, headers["ETag"])
    if byte_range is None or not is_unchanged or byte_range[0] == "bytes=-":
        return StreamingResponse(file.stream_bytes(), media_type=file.media_type, headers=headers)
    size = sum(len(piece) for piece in file.stream_bytes())
    start, end = resolve_bounds(byte_range[1], byte_range[2], size)
    if start >= end:
        raise Problem("range_not_satisfiable", headers={"Content-Range": f"bytes */{size}"})
    headers |= {
        "Content-Range": f"bytes {start}-{end - 1}/{size}",
        "Content-Length": str(end - start),
    }
    return StreamingResponse(
        cut_bytes(file.stream_bytes(), start, end),
        status_code=206,
        media_type=file.media_type,
        headers=headers,
    )


def resolve_bounds(first: str, last: str, size: int) -> tuple[int, int]:
    """Return the start and end (excluded) of `first-last`; `-last` counts from the end."""
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1, size) if last else size


def cut_bytes(pieces: Iterator[bytes], start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes from `start` to `end` (excluded); later pieces are not read."""
    position = 0
    for piece in pieces:
        if position + len(piece) > start and position < end:
            yield piece[max(0, start - position) : end - position]
        position += len(piece)
        if position >= end:
            return
