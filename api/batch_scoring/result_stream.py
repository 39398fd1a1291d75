"""Outgoing batches: results chunk by chunk in, a stream of CSV, NDJSON or Parquet out."""

import io
from collections.abc import Callable, Iterator

import polars as pl

from api.batch_scoring.file_formats import Format
from api.batch_scoring.writers import ROW_GROUP, as_csv, as_ndjson

MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


def stream(
    form: Format, chunks: Iterator[bytes], nothing: Callable[[], pl.DataFrame]
) -> Iterator[bytes]:
    """The results of all chunks as one file; `nothing` is the table where there is no chunk."""
    frames = (pl.read_ipc(io.BytesIO(each)) for each in chunks)
    if form == "parquet":
        yield from _parquet(frames, nothing)
        return
    first = True
    for frame in frames:
        yield as_csv(frame, header=first) if form == "csv" else as_ndjson(frame)
        first = False
    if first and form == "csv":
        yield as_csv(nothing(), header=True)


def _parquet(
    frames: Iterator[pl.DataFrame], nothing: Callable[[], pl.DataFrame]
) -> Iterator[bytes]:
    """Parquet knows its rows only at its end: it is made whole in memory, never on the disk."""
    held = list(frames)
    buffer = io.BytesIO()
    whole = pl.concat(held) if held else nothing()
    whole.write_parquet(buffer, row_group_size=ROW_GROUP)
    yield buffer.getvalue()
