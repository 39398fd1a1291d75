"""Incoming batches: a file as it was sent in, chunks of so many rows out, ready to be sealed."""

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple, cast

import polars as pl

from api.batch.columns_named import ColumnNames
from api.batch.files import Format
from api.batch.read import Piece, Rows, faults_of
from api.batch.read_csv import csv_pieces
from api.batch.read_ndjson import json_pieces
from api.batch.read_parquet import parquet_pieces
from api.store.batch_chunks import Given
from schemas.batch import PATIENT_REFERENCE
from scoring.columns import ColumnRules, compiled
from scoring.loaded import LoadedRulebook

BLOCK_BYTES = 2 * 1024 * 1024
RECORD_BYTES = 1024 * 1024
_LINE = "\0line"


class TooManyRowsError(Exception):
    """More rows than a batch may have. The client must act."""


class Chunk(NamedTuple):
    """Rows as they were read, what was wrong with them, and the lines on which they begin."""

    frame: pl.DataFrame
    faults: pl.DataFrame
    lines: list[int] | None


def chunks(  # noqa: PLR0913 - what a file is, and its limits
    file: BinaryIO,
    size: int,
    form: Format,
    loaded: LoadedRulebook,
    *,
    ignore_unknown: bool,
    rows: int,
    most: int,
) -> Iterator[tuple[int, Given]]:
    """The rows of the file, `rows` at a time, with how many they are.

    Raises UnusableInputError, TooManyRowsError for more than `most`.
    """
    names = ColumnNames(loaded, ignore_unknown=ignore_unknown)
    total = 0
    for piece in _pieces(file, size, form, loaded, names):
        read = piece.rows()
        total += read.frame.height
        if total > most:
            raise TooManyRowsError
        for start in range(0, read.frame.height, rows):
            count = min(rows, read.frame.height - start)
            yield count, packed(_cut(read, start, count))


def packed(chunk: Chunk) -> Given:
    """The chunk as it is kept."""
    frame = chunk.frame
    references: tuple[str, ...] = ()
    if PATIENT_REFERENCE in frame.columns:
        named = frame[PATIENT_REFERENCE].cast(pl.String).drop_nulls().unique().sort()
        references = tuple(each for each in named if each)
    if chunk.lines is not None:
        frame = frame.with_columns(pl.Series(_LINE, chunk.lines, pl.UInt64))
    return Given(references, (_bytes_of(frame), _bytes_of(chunk.faults)))


def unpacked(given: Given) -> Chunk:
    """The chunk as it was."""
    frame, faults = (pl.read_ipc(io.BytesIO(each)) for each in given.parts[:2])
    if _LINE not in frame.columns:
        return Chunk(frame, faults, None)
    return Chunk(frame.drop(_LINE), faults, frame[_LINE].to_list())


@lru_cache(maxsize=8)
def rules_of(loaded: LoadedRulebook) -> ColumnRules:
    """The rulebook over columns, compiled once."""
    return compiled(loaded)


def _pieces(
    file: BinaryIO, size: int, form: Format, loaded: LoadedRulebook, names: ColumnNames
) -> Iterator[Piece]:
    limits: dict[str, Any] = {"block_bytes": BLOCK_BYTES, "record_bytes": RECORD_BYTES}
    match form:
        case "csv":
            yield from csv_pieces(file, names, **limits)
        case "ndjson":
            yield from json_pieces(file, loaded, names, **limits)
        case "parquet":
            content = io.BytesIO(file.read())
            yield from parquet_pieces(cast("str", content), names, size=size)


def _cut(read: Rows, start: int, count: int) -> Chunk:
    row = pl.col("row")
    faults = read.faults.filter((row >= start) & (row < start + count)).with_columns(
        (row - start).cast(pl.UInt32)
    )
    lines = read.lines(list(range(start, start + count))) if read.lines else None
    return Chunk(read.frame.slice(start, count), faults, lines)


def _bytes_of(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def all_faulty(rows: int, code: str, expected: str) -> pl.DataFrame:
    """The same fault for each of so many rows."""
    return faults_of((row, None, code, expected) for row in range(rows))
