"""Reads Parquet: typed columns, one slice of rows at a time.

The size of a slice is checked before it is decoded, because a small file can unpack to a huge one.
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
from api.batch_scoring.readers.base import ParsedRows, build_faults_frame
from api.batch_scoring.readers.parquet_limits import ParquetLimits, unpacked_size_error
from api.batch_scoring.readers.parquet_metadata import read_row_groups
from api.batch_scoring.readers.record_blocks import BLOCK_BYTES, RECORD_BYTES
from schemas.batch import PASSTHROUGH_COLUMNS
from schemas.rulebook import Question

MAX_SLICE_ROWS = 65_536
_DECODE_ERRORS = (OSError, pl.exceptions.PolarsError, PanicException)
_UNSUPPORTED_TYPES = (pl.Binary, pl.Duration, pl.Object, pl.Unknown)


class ParquetPiece(NamedTuple):
    """A slice of a Parquet file."""

    frame: pl.LazyFrame
    start: int
    height: int
    input_bytes: int

    def parse_rows(self) -> ParsedRows:
        """Read the columns with the types of the file. Raises UnusableInputError."""
        frame = _collect(self.frame.slice(self.start, self.height))
        return ParsedRows(frame, build_faults_frame(()), None)


def read_parquet_pieces(  # noqa: PLR0913 - a file and its limits
    source: str | io.BytesIO,
    names: ColumnNames,
    *,
    size: int,
    rows: int | None = None,
    record_bytes: int | None = None,
    unpacked_bytes: int | None = None,
) -> Iterator[ParquetPiece]:
    """Yield the slices of a file of `size` bytes.

    A slice has at most `rows` rows, and not many more bytes than a block of another format. Raises
    UnusableInputError for a column of an unsupported type, a row of more than `record_bytes`, a
    list with more elements than options, and a file that unpacks to more than `unpacked_bytes`.
    """
    scan, schema, height = _scan(source)
    header = schema.names()
    columns = {header[place]: ours for place, ours in names.match_header(header).items()}
    for theirs, ours in columns.items():
        _check_type(ours, schema[theirs], names.questions.get(ours))
    with _open_content(source) as content:
        groups = read_row_groups(content, columns)
    if sum(group.rows for group in groups) != height:
        raise UnusableInputError("the Parquet file is damaged")
    limits = ParquetLimits(
        groups, {theirs: names.questions.get(ours) for theirs, ours in columns.items()}
    )
    limits.check(unpacked_bytes)
    frame = scan.select(
        pl.col(theirs).cast(pl.String).alias(ours) if ours in PASSTHROUGH_COLUMNS
        else pl.col(theirs).alias(ours)
        for theirs, ours in columns.items()
    )  # fmt: skip
    slice_rows = min(rows or MAX_SLICE_ROWS, limits.rows_per_slice)
    total = 0
    for start in range(0, height, slice_rows):
        sizes = _text_bytes(frame.slice(start, min(slice_rows, height - start)))
        total += sum(sizes)
        if unpacked_bytes is not None and total > unpacked_bytes:
            raise unpacked_size_error(unpacked_bytes)
        for place, count in _split(sizes, record_bytes or RECORD_BYTES, start + 1):
            yield ParquetPiece(frame, start + place, count, size * count // height)


def _scan(source: str | io.BytesIO) -> tuple[pl.LazyFrame, pl.Schema, int]:
    try:
        scan = pl.scan_parquet(source, glob=False)
        height = scan.select(pl.len()).collect().item()
        return scan, scan.collect_schema(), height
    except _DECODE_ERRORS:
        raise UnusableInputError("the file is no Parquet, or is damaged") from None


def _collect(frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect(engine="streaming")
    except _DECODE_ERRORS:
        raise UnusableInputError("the Parquet file is damaged") from None


@contextmanager
def _open_content(source: str | io.BytesIO) -> Iterator[memoryview | mmap]:
    if isinstance(source, io.BytesIO):
        with source.getbuffer() as content:
            yield content
        return
    with Path(source).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        yield content


def _check_type(name: str, kind: pl.DataType, question: Question | None) -> None:
    """Raise UnusableInputError for a nested or unsupported type: it concerns every row."""
    is_multi = question is not None and question.kind == "multi"
    inner = kind.inner if is_multi and isinstance(kind, pl.List | pl.Array) else kind
    if inner.is_nested() or inner in _UNSUPPORTED_TYPES:
        expected = (
            "texts or lists of texts" if is_multi else "plain values such as texts or numbers"
        )
        raise UnusableInputError(f"column {name!r} must hold {expected}")


def _text_bytes(frame: pl.LazyFrame) -> list[int]:
    """Return the bytes of text of each row: many rows may share one text of a dictionary."""
    lengths = []
    for name, kind in frame.collect_schema().items():
        if kind == pl.String:
            lengths.append(pl.col(name).str.len_bytes())
        elif isinstance(kind, pl.List | pl.Array) and kind.inner == pl.String:
            texts = pl.col(name).arr.to_list() if isinstance(kind, pl.Array) else pl.col(name)
            lengths.append(texts.list.eval(pl.element().str.len_bytes()).list.sum())
    total = pl.sum_horizontal(pl.lit(0, pl.UInt64), *(length.cast(pl.UInt64) for length in lengths))
    rows = frame.with_columns(total.fill_null(0).alias("\0bytes")).select("\0bytes")
    return _collect(rows)["\0bytes"].to_list()


def _split(sizes: list[int], longest: int, first: int) -> Iterator[tuple[int, int]]:
    """Yield the start and count of runs of rows with at most one block of text each."""
    start = total = 0
    for place, size in enumerate(sizes):
        if size > longest:
            raise UnusableInputError(
                f"row {first + place}: a record must not be longer than {longest:,} bytes"
            )
        if total + size > BLOCK_BYTES and place > start:
            yield start, place - start
            start, total = place, 0
        total += size
    if sizes:
        yield start, len(sizes) - start
