"""Streams the results of a batch, chunk by chunk, as CSV, NDJSON or Parquet."""

import io
from collections.abc import Callable, Iterator

import polars as pl

from api.batch_scoring.file_formats import BatchFormat
from api.batch_scoring.output.encoders import ROW_GROUP_ROWS, encode_csv, encode_ndjson

MEDIA_TYPES: dict[BatchFormat, str] = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


def stream_results(
    file_format: BatchFormat, chunks: Iterator[bytes], empty_results: Callable[[], pl.DataFrame]
) -> Iterator[bytes]:
    """Yield the results of all chunks as one file, or `empty_results` if there is no chunk."""
    schema = empty_results().schema
    frames = (_align(pl.read_ipc(io.BytesIO(chunk)), schema) for chunk in chunks)
    if file_format == "parquet":
        yield _parquet(list(frames) or [empty_results()])
        return
    first = True
    for frame in frames:
        yield encode_csv(frame, header=first) if file_format == "csv" else encode_ndjson(frame)
        first = False
    if first and file_format == "csv":
        yield encode_csv(empty_results(), header=True)


def _align(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Return results with today's columns: an earlier release may have scored a part of them."""
    if frame.schema == schema:
        return frame
    return frame.select(
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
        for name, kind in schema.items()
    )


def _parquet(frames: list[pl.DataFrame]) -> bytes:
    """Encode in memory: the footer counts all rows, and no plain text may be written to disk."""
    buffer = io.BytesIO()
    pl.concat(frames).write_parquet(buffer, row_group_size=ROW_GROUP_ROWS)
    return buffer.getvalue()
