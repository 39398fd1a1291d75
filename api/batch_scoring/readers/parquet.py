"""Parquet in: typed columns, a slice of rows at a time.

What a slice takes is known before it is read: a small file can stand for a huge one.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars.exceptions import PanicException

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers.base import Rows, faults_of
from api.batch_scoring.readers.parquet_limits import Room, unpacks_to_more
from api.batch_scoring.readers.parquet_metadata import groups_of
from api.batch_scoring.readers.record_blocks import BLOCK_BYTES, RECORD_BYTES
from schemas.batch import PASSED_THROUGH
from schemas.rulebook import Question

ROWS = 65_536
_DAMAGED = (OSError, pl.exceptions.PolarsError, PanicException)
_NOT_PLAIN = (pl.Binary, pl.Duration, pl.Object, pl.Unknown)


class ParquetPiece(NamedTuple):
    """A slice of a Parquet file."""

    frame: pl.LazyFrame
    start: int
    height: int
    bytes: int

    def rows(self) -> Rows:
        """The columns as they are typed in the file. Raises UnusableInputError."""
        frame = _collected(self.frame.slice(self.start, self.height))
        return Rows(frame, faults_of(()), None)


def parquet_pieces(  # noqa: PLR0913 - what a file is, and its limits
    source: str | io.BytesIO,
    names: ColumnNames,
    *,
    size: int,
    rows: int | None = None,
    record_bytes: int | None = None,
    unpacked_bytes: int | None = None,
) -> Iterator[ParquetPiece]:
    """The slices of the file, which is `size` bytes large.

    No slice is of more than `rows`, or of many more bytes than a block of another format. Raises
    UnusableInputError for a column of a type that means nothing here, for a row of more than
    `record_bytes`, for a list with more elements than there are options, and for what unpacks to
    more than `unpacked_bytes`.
    """
    scan, schema, height = _scanned(source)
    header = schema.names()
    kept = {header[place]: ours for place, ours in names.kept(header).items()}
    for theirs, ours in kept.items():
        _refuse_type(ours, schema[theirs], names.questions.get(ours))
    with _content(source) as content:
        groups = groups_of(content, kept)
    if sum(each.rows for each in groups) != height:
        raise UnusableInputError("the Parquet file is damaged")
    room = Room(groups, {theirs: names.questions.get(ours) for theirs, ours in kept.items()})
    room.refuse(unpacked_bytes)
    frame = scan.select(
        pl.col(theirs).cast(pl.String).alias(ours) if ours in PASSED_THROUGH
        else pl.col(theirs).alias(ours)
        for theirs, ours in kept.items()
    )  # fmt: skip
    most = min(rows or ROWS, room.rows_each)
    held = 0
    for start in range(0, height, most):
        texts = _texts(frame.slice(start, min(most, height - start)))
        held += sum(texts)
        if unpacked_bytes is not None and held > unpacked_bytes:
            raise unpacks_to_more(unpacked_bytes)
        for place, count in _cut(texts, record_bytes or RECORD_BYTES, start + 1):
            yield ParquetPiece(frame, start + place, count, size * count // height)


def _scanned(source: str | io.BytesIO) -> tuple[pl.LazyFrame, pl.Schema, int]:
    try:
        scan = pl.scan_parquet(source, glob=False)
        height = scan.select(pl.len()).collect().item()
        return scan, scan.collect_schema(), height
    except _DAMAGED:
        raise UnusableInputError("the file is no Parquet, or is damaged") from None


def _collected(frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect(engine="streaming")
    except _DAMAGED:
        raise UnusableInputError("the Parquet file is damaged") from None


@contextmanager
def _content(source: str | io.BytesIO) -> Iterator[memoryview | mmap]:
    if isinstance(source, io.BytesIO):
        with source.getbuffer() as content:
            yield content
        return
    with Path(source).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        yield content


def _refuse_type(name: str, kind: pl.DataType, question: Question | None) -> None:
    """What is no plain value is no row's fault: the whole column is meant otherwise."""
    several = question is not None and question.kind == "multi"
    inner = kind.inner if several and isinstance(kind, pl.List | pl.Array) else kind
    if inner.is_nested() or inner in _NOT_PLAIN:
        expected = "texts or lists of texts" if several else "plain values such as texts or numbers"
        raise UnusableInputError(f"column {name!r} must hold {expected}")


def _texts(frame: pl.LazyFrame) -> list[int]:
    """The bytes of all texts of each row: a text that is written once may be meant by every row."""
    lengths = []
    for name, kind in frame.collect_schema().items():
        if kind == pl.String:
            lengths.append(pl.col(name).str.len_bytes())
        elif isinstance(kind, pl.List | pl.Array) and kind.inner == pl.String:
            listed = pl.col(name).arr.to_list() if isinstance(kind, pl.Array) else pl.col(name)
            lengths.append(listed.list.eval(pl.element().str.len_bytes()).list.sum())
    total = pl.sum_horizontal(pl.lit(0, pl.UInt64), *(each.cast(pl.UInt64) for each in lengths))
    rows = frame.with_columns(total.fill_null(0).alias("\0bytes")).select("\0bytes")
    return _collected(rows)["\0bytes"].to_list()


def _cut(texts: list[int], longest: int, first: int) -> Iterator[tuple[int, int]]:
    """Place and count of so many rows as are one block of text at most."""
    start = held = 0
    for place, size in enumerate(texts):
        if size > longest:
            raise UnusableInputError(
                f"row {first + place}: a record must not be longer than {longest:,} bytes"
            )
        if held + size > BLOCK_BYTES and place > start:
            yield start, place - start
            start, held = place, 0
        held += size
    if texts:
        yield start, len(texts) - start
