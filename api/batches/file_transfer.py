"""Transfers batch files over HTTP: encrypted uploads, and downloads by byte range.

A range is cut from the same bytes as the whole file.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from api.batch_scoring.encrypted_tempfile import EncryptedTempFile
from api.batch_scoring.file_formats import BatchFormat
from api.batch_scoring.result_stream import MEDIA_TYPES
from api.problems import Problem
from api.settings import Settings

OFFERED_FORMATS: tuple[BatchFormat, ...] = ("csv", "ndjson", "parquet")
_ACCEPTED_TYPES: dict[str, BatchFormat] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/vnd.apache.parquet": "parquet",
}
RETRY_AFTER_SECONDS = "2"
"""Seconds after which a client may ask for the progress again (`Retry-After`)."""
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_ZERO_WEIGHT = re.compile(r"q\s*=\s*(0(?:\.0{0,3})?)\s*$")


def parse_upload_format(request: Request) -> BatchFormat:
    """Return the format of the upload's media type. Raises Problem `unsupported_media_type`."""
    media_types = request.headers.getlist("content-type")
    media_type, _, rest = (media_types[0] if len(media_types) == 1 else "").partition(";")
    charset = re.sub(r"\s|\"", "", rest.lower())
    file_format = _ACCEPTED_TYPES.get(media_type.strip().lower())
    if (
        file_format is None
        or charset not in ("", "charset=utf-8")
        or request.headers.get("content-encoding", "identity") != "identity"
    ):
        raise Problem(
            "unsupported_media_type",
            "Send text/csv (UTF-8), application/x-ndjson or application/vnd.apache.parquet, "
            "without content encoding.",
        )
    return file_format


async def receive_upload(request: Request, settings: Settings) -> EncryptedTempFile:
    """Receive the body into an encrypted file. Raises Problem `too_slow` or `too_large`."""
    file = EncryptedTempFile()
    try:
        async with asyncio.timeout(settings.upload_seconds):
            await _write_body(file, request, settings.batch_bytes)
    except TimeoutError:
        file.close()
        raise Problem("too_slow", headers={"Connection": "close"}) from None
    except BaseException:
        file.close()
        raise
    return file


async def _write_body(file: EncryptedTempFile, request: Request, limit: int) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:18]) > limit:
        raise Problem("too_large", headers={"Connection": "close"})
    async for piece in request.stream():
        if file.size + len(piece) > limit:
            raise Problem("too_large", headers={"Connection": "close"})
        file.append(piece)


def negotiate_format(accept: str | None) -> BatchFormat:
    """Return the first format that `Accept` names; CSV if it accepts all. Raises Problem 406."""
    if accept is None or not accept.strip():
        return OFFERED_FORMATS[0]
    for item in accept.split(","):
        media_range, *parameters = item.lower().split(";")
        if any(_ZERO_WEIGHT.search(parameter) for parameter in parameters):
            continue
        media_range = media_range.strip()
        if media_range in _ACCEPTED_TYPES:
            return _ACCEPTED_TYPES[media_range]
        if media_range in ("*/*", "text/*"):
            return "csv"
        if media_range == "application/*":
            return "ndjson"
    raise Problem("not_acceptable")


def parse_suffix(suffix: str) -> BatchFormat:
    """Return the format of a URL suffix. Raises Problem `not_found`."""
    for file_format in OFFERED_FORMATS:
        if file_format == suffix:
            return file_format
    raise Problem("not_found")


class FileDownload(NamedTuple):
    """A file to download; `pieces` yields its bytes, the same at every call."""

    media_type: str
    name: str
    etag: str
    stream_bytes: Callable[[], Iterator[bytes]]


def build_results_download(
    file_format: BatchFormat, tag: str, pieces: Callable[[], Iterator[bytes]]
) -> FileDownload:
    """Return the results as a file whose name says nothing about the batch."""
    return FileDownload(MEDIA_TYPES[file_format], f"nociscreen-results.{file_format}", tag, pieces)


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
    start, end = _resolve_bounds(byte_range[1], byte_range[2], size)
    if start >= size or start > end:
        raise Problem("range_not_satisfiable", headers={"Content-Range": f"bytes */{size}"})
    headers |= {
        "Content-Range": f"bytes {start}-{end}/{size}",
        "Content-Length": str(end - start + 1),
    }
    return StreamingResponse(
        _cut(file.stream_bytes(), start, end + 1),
        status_code=206,
        media_type=file.media_type,
        headers=headers,
    )


def _resolve_bounds(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1


def _cut(pieces: Iterator[bytes], start: int, end: int) -> Iterator[bytes]:
    position = 0
    for piece in pieces:
        if position + len(piece) > start and position < end:
            yield piece[max(0, start - position) : end - position]
        position += len(piece)
        if position >= end:
            return
