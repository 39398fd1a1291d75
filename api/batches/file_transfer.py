"""Batch files over HTTP: uploads sealed as they come, results streamed and taken up by range.

What is asked for by `Range` is cut from the same bytes that the whole would be.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from fastapi import Request, Response
from starlette.responses import StreamingResponse

from api.batch_scoring.encrypted_tempfile import SealedFile
from api.batch_scoring.file_formats import Format
from api.batch_scoring.result_stream import MEDIA_TYPES
from api.problems import Problem
from api.settings import Settings

OFFERED: tuple[Format, ...] = ("csv", "ndjson", "parquet")
_TAKEN: dict[str, Format] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/vnd.apache.parquet": "parquet",
}
SOON = "2"
"""Seconds after which to ask again how far a batch is (`Retry-After`)."""
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_WEIGHT = re.compile(r"q\s*=\s*(0(?:\.0{0,3})?)\s*$")


def format_sent(request: Request) -> Format:
    """The format by its media type. Raises Problem `unsupported_media_type`."""
    kinds = request.headers.getlist("content-type")
    kind, _, rest = (kinds[0] if len(kinds) == 1 else "").partition(";")
    charset = re.sub(r"\s|\"", "", rest.lower())
    form = _TAKEN.get(kind.strip().lower())
    if (
        form is None
        or charset not in ("", "charset=utf-8")
        or request.headers.get("content-encoding", "identity") != "identity"
    ):
        raise Problem(
            "unsupported_media_type",
            "Send text/csv (UTF-8), application/x-ndjson or application/vnd.apache.parquet, "
            "without content encoding.",
        )
    return form


async def receive(request: Request, settings: Settings) -> SealedFile:
    """The body, sealed. Raises Problem `too_slow` or `too_large`."""
    file = SealedFile()
    try:
        async with asyncio.timeout(settings.upload_seconds):
            await _fill(file, request, settings.batch_bytes)
    except TimeoutError:
        file.close()
        raise Problem("too_slow", headers={"Connection": "close"}) from None
    except BaseException:
        file.close()
        raise
    return file


async def _fill(file: SealedFile, request: Request, most: int) -> None:
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said[:18]) > most:
        raise Problem("too_large", headers={"Connection": "close"})
    async for piece in request.stream():
        if file.size + len(piece) > most:
            raise Problem("too_large", headers={"Connection": "close"})
        file.append(piece)


def format_wanted(accept: str | None) -> Format:
    """The format that `Accept` names first; CSV where it takes all. Raises Problem 406."""
    if accept is None or not accept.strip():
        return OFFERED[0]
    for item in accept.split(","):
        kind, *details = item.lower().split(";")
        if any(_WEIGHT.search(each) for each in details):
            continue
        if kind.strip() in _TAKEN:
            return _TAKEN[kind.strip()]
        if kind.strip() in ("*/*", "text/*"):
            return "csv"
        if kind.strip() == "application/*":
            return "ndjson"
    raise Problem("not_acceptable")


def format_of(suffix: str) -> Format:
    """The format of an address that ends so. Raises Problem `not_found`."""
    for form in OFFERED:
        if form == suffix:
            return form
    raise Problem("not_found")


class File(NamedTuple):
    """A file to be sent: `pieces` makes its bytes anew, the same each time."""

    media_type: str
    name: str
    tag: str
    pieces: Callable[[], Iterator[bytes]]


def results_file(form: Format, tag: str, pieces: Callable[[], Iterator[bytes]]) -> File:
    """Results in this format, under a name that tells nothing."""
    return File(MEDIA_TYPES[form], f"nociscreen-results.{form}", tag, pieces)


def sent(request: Request, file: File) -> Response:
    """The file whole, or the one range that is asked for."""
    headers = {
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "ETag": f'"{file.tag}"',
        "Accept-Ranges": "bytes",
        "Vary": "Accept",
    }
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    unchanged = request.headers.get("if-range") in (None, headers["ETag"])
    if asked is None or not unchanged or asked[0] == "bytes=-":
        return StreamingResponse(file.pieces(), media_type=file.media_type, headers=headers)
    size = sum(len(each) for each in file.pieces())
    start, end = _bounds(asked[1], asked[2], size)
    if start >= size or start > end:
        raise Problem("range_not_satisfiable", headers={"Content-Range": f"bytes */{size}"})
    headers |= {
        "Content-Range": f"bytes {start}-{end}/{size}",
        "Content-Length": str(end - start + 1),
    }
    return StreamingResponse(
        _cut(file.pieces(), start, end + 1),
        status_code=206,
        media_type=file.media_type,
        headers=headers,
    )


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1


def _cut(pieces: Iterator[bytes], start: int, end: int) -> Iterator[bytes]:
    place = 0
    for piece in pieces:
        if place + len(piece) > start and place < end:
            yield piece[max(0, start - place) : end - place]
        place += len(piece)
        if place >= end:
            return
