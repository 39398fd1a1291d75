"""Decodes a table, such as a Parquet file, slice by slice and checks what the slices contain."""

import io
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import polars as pl
from polars.exceptions import PanicException

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers.table_sources import LINE_COLUMN, TableOptions, open_table
from schemas.rulebooks.rulebook import Question

_MAX_SLICE_ROWS = 65_536
_DECODE_ERRORS = (OSError, pl.exceptions.PolarsError, PanicException)
_UNSUPPORTED_TYPES = (pl.Binary, pl.Duration, pl.Object, pl.Unknown)


class DecodeRequest(NamedTuple):
    """A file of `size` bytes, and the most bytes of text in a slice, a row and the file.

    `path` is None if the content follows the request.
    """

    names: ColumnNames
    size: int
    path: str | None
    block_bytes: int
    record_bytes: int
    unpacked_bytes: int | None = None
    table: TableOptions = TableOptions()


class DecodedSlice(NamedTuple):
    """Rows of a file, and the bytes of the file that they cover.

    `left_out`, `blank_lines` and `notes` are as in ParsedRows.
    """

    rows: pl.DataFrame
    input_bytes: int
    left_out: tuple[str, ...]
    blank_lines: int = 0
    notes: tuple[str, ...] = ()


def decode_slices(request: DecodeRequest, source: str | io.BytesIO) -> Iterator[DecodedSlice]:
    """Yield the file in slices of at most a block of text.

    Raises UnusableInputError for a column of an unsupported type, a list with more elements than
    options, and a row or file that unpacks to more than its limit.
    """
    names = request.names
    table = open_table(source, request.table, names.questions)
    scan, height = table.rows, table.height
    schema = scan.collect_schema()
    header = [name for name in schema.names() if name != LINE_COLUMN]
    match = names.match_header(header)
    columns = {header[place]: name for place, name in match.columns.items()}
    for column, name in columns.items():
        _check_type(name, schema[column], names.questions.get(name))
    frame = scan.select(
        *([LINE_COLUMN] * table.is_numbered),
        *(pl.col(column).cast(pl.String).alias(name) if name not in names.questions
        else pl.col(column).alias(name)
        for column, name in columns.items())
    )  # fmt: skip
    total, left_out = 0, (*match.left_out, *table.left_out)
    for start in range(0, height, _MAX_SLICE_ROWS):
        rows = collect_rows(frame.slice(start, _MAX_SLICE_ROWS))
        _check_list_lengths(rows, names.questions)
        sizes = _measure_text(rows)
        total += sum(sizes)
        limit = request.unpacked_bytes
        if limit is not None and total > limit:
            raise UnusableInputError(f"it must not unpack to more than {limit:,} bytes")
        for place, count in _split(sizes, request, start + 1):
            input_bytes = request.size * count // height
            blank_lines = table.blank_lines if start + place == 0 else 0
            part = rows.slice(place, count)
            yield DecodedSlice(part, input_bytes, left_out, blank_lines, table.notes)


def collect_rows(frame: pl.LazyFrame) -> pl.DataFrame:
    """Decode the rows. Raises UnusableInputError."""
    try:
        return frame.collect(engine="streaming")
    except _DECODE_ERRORS:
        raise UnusableInputError("the file is damaged") from None


def _check_type(name: str, kind: pl.DataType, question: Question | None) -> None:
    """Raise UnusableInputError for a nested or unsupported type: it concerns every row."""
    is_multi = question is not None and question.kind == "multi"
    inner = kind.inner if is_multi and isinstance(kind, pl.List | pl.Array) else kind
    if inner.is_nested() or inner in _UNSUPPORTED_TYPES:
        content = "text or lists of text" if is_multi else "plain values such as text or numbers"
        raise UnusableInputError(f"column {name!r} must contain {content}")


def _check_list_lengths(rows: pl.DataFrame, questions: Mapping[str, Question]) -> None:
    for name, kind in rows.schema.items():
        if isinstance(kind, pl.List | pl.Array):
            lists = rows[name].arr.to_list() if isinstance(kind, pl.Array) else rows[name]
            most = len(questions[name].options)
            if (lists.list.len() > most).any():
                raise UnusableInputError(
                    f"column {name!r} must contain at most {most} values per row"
                )


def _measure_text(rows: pl.DataFrame) -> list[int]:
    """Return the bytes of text of each row: many rows may share one text of a dictionary."""
    lengths = []
    for name, kind in rows.schema.items():
        if kind == pl.String:
            lengths.append(pl.col(name).str.len_bytes())
        elif isinstance(kind, pl.List | pl.Array) and kind.inner == pl.String:
            texts = pl.col(name).arr.to_list() if isinstance(kind, pl.Array) else pl.col(name)
            lengths.append(texts.list.eval(pl.element().str.len_bytes()).list.sum())
    total = pl.sum_horizontal(pl.lit(0, pl.UInt64), *(length.cast(pl.UInt64) for length in lengths))
    return rows.with_columns(total.fill_null(0).alias("\0bytes"))["\0bytes"].to_list()


def _split(sizes: list[int], request: DecodeRequest, first: int) -> Iterator[tuple[int, int]]:
    """Yield the start and count of runs of rows with at most one block of text each."""
    start = total = 0
    for place, size in enumerate(sizes):
        if size > request.record_bytes:
            limit = f"{request.record_bytes:,} bytes"
            raise UnusableInputError(
                f"row {first + place}: a record must not be longer than {limit}"
            )
        if total + size > request.block_bytes and place > start:
            yield start, place - start
            start, total = place, 0
        total += size
    if sizes:
        yield start, len(sizes) - start
