"""Transfers batch files over HTTP: encrypted uploads, and downloads in a negotiated format."""

import asyncio
import re
from collections.abc import Iterator

from fastapi import Request

from api.auth.request_context import RequestContext
from api.batch_scoring.encrypted_tempfile import EncryptedTempFile
from api.batch_scoring.file_formats import BatchFormat, InputFormat
from api.batch_scoring.output.result_stream import MEDIA_TYPES
from api.batch_scoring.readers.text_decoding import find_encoding
from api.http.bodies.request_body import build_size_problem
from api.http.content_negotiation import require_media_type
from api.problems import Problem
from api.settings import Settings
from api.store.batches import chunks as batch_chunks
from api.store.batches.batches import StoredBatch

OFFERED_FORMATS: tuple[BatchFormat, ...] = ("csv", "ndjson", "parquet")
_ACCEPTED_TYPES: dict[str, BatchFormat] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/vnd.apache.parquet": "parquet",
}
_TABLE_TYPES: dict[str, InputFormat] = {
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.apache.arrow.file": "feather",
    "application/json": "json",
}
RETRY_AFTER_SECONDS = "2"
"""Seconds after which a client may ask for the progress again (`Retry-After`)."""


def parse_upload_format(request: Request) -> InputFormat:
    """Return the format of the upload's media type. Raises Problem `unsupported_media_type`."""
    media_types = request.headers.getlist("content-type")
    media_type, _, rest = (media_types[0] if len(media_types) == 1 else "").partition(";")
    charset = re.sub(r"\s|\"", "", rest.lower())
    name = media_type.strip().lower()
    file_format = _ACCEPTED_TYPES.get(name) or _TABLE_TYPES.get(name)
    if (
        file_format is None
        or (charset and find_encoding(charset.removeprefix("charset=")) is None)
        or request.headers.get("content-encoding", "identity") != "identity"
    ):
        raise Problem(
            "unsupported_media_type",
            "Send text/csv (UTF-8, or another charset named in the type), application/x-ndjson, "
            "application/json (an array), application/vnd.apache.parquet, an Arrow file, or a "
            "workbook of Excel or OpenDocument under its own type, without content encoding.",
        )
    return file_format


def parse_upload_encoding(request: Request) -> str | None:
    """Return the encoding that the media type names; None if it names none."""
    _, _, rest = request.headers.get("content-type", "").partition(";")
    return find_encoding(re.sub(r"\s|\"", "", rest.lower()).removeprefix("charset="))


async def receive_upload(request: Request, settings: Settings) -> EncryptedTempFile:
    """Receive the body into an encrypted file. Raises Problem `request_timeout` or `too_large`."""
    file = EncryptedTempFile()
    try:
        async with asyncio.timeout(settings.upload_seconds):
            await _write_body(file, request, settings.max_batch_bytes)
    except TimeoutError:
        file.close()
        raise Problem("request_timeout", headers={"Connection": "close"}) from None
    except BaseException:
        file.close()
        raise
    return file


async def _write_body(file: EncryptedTempFile, request: Request, limit: int) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared[:18]) > limit:
        raise build_size_problem(limit, "NOCISCREEN_MAX_BATCH_BYTES")
    async for piece in request.stream():
        if file.size + len(piece) > limit:
            raise build_size_problem(limit, "NOCISCREEN_MAX_BATCH_BYTES")
        file.append(piece)


def negotiate_format(accept: str | None) -> BatchFormat:
    """Return the format that `Accept` prefers; CSV if it accepts all. Raises Problem 406."""
    aliases = {alias: MEDIA_TYPES[file_format] for alias, file_format in _ACCEPTED_TYPES.items()}
    offered = [MEDIA_TYPES[file_format] for file_format in OFFERED_FORMATS]
    media_type = require_media_type(accept, offered, aliases)
    return _ACCEPTED_TYPES[media_type]


def read_result_chunks(context: RequestContext, batch: StoredBatch) -> Iterator[bytes]:
    """Yield the results of each chunk. Raises RuntimeError if the batch is erased meanwhile."""
    for number in range(batch.chunks):
        with context.store.continue_read(context.actor) as work:
            content = batch_chunks.read_chunk_results(work, batch.id, number)
        if content is None:
            raise RuntimeError("the batch was erased while it was sent")
        yield content
