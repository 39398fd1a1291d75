"""Incoming batches: a file as it was sent in, chunks of so many rows out, ready to be sealed."""

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

import polars as pl

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import Format
from api.batch_scoring.readers.base import Piece, Rows, faults_of
from api.batch_scoring.readers.csv import csv_pieces
from api.batch_scoring.readers.ndjson import json_pieces
from api.batch_scoring.readers.parquet import parquet_pieces
from api.store.batches.chunks import Given
from schemas.batch import PATIENT_REFERENCE
from scoring.columns import ColumnRules, compiled
from scoring.compiled_rulebook import LoadedRulebook

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


class Sent(NamedTuple):
    """A file as it was sent: so many bytes, in this format."""

    file: BinaryIO
    size: int
    form: Format


class Limits(NamedTuple):
    """Rows in a chunk, rows in a file, and the bytes to which a file may unpack."""

    chunk_rows: int
    rows: int
    bytes: int


def chunks(
    sent: Sent, loaded: LoadedRulebook, limits: Limits, *, ignore_unknown: bool
) -> Iterator[tuple[int, Given]]:
    """The rows of the file, chunk by chunk, with how many they are.

    Raises UnusableInputError, TooManyRowsError.
    """
    names = ColumnNames(loaded, ignore_unknown=ignore_unknown)
    total = 0
    for piece in _pieces(sent, loaded, names, limits):
        read = piece.rows()
        total += read.frame.height
        if total > limits.rows:
            raise TooManyRowsError
        for start in range(0, read.frame.height, limits.chunk_rows):
            count = min(limits.chunk_rows, read.frame.height - start)
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
    sent: Sent, loaded: LoadedRulebook, names: ColumnNames, limits: Limits
) -> Iterator[Piece]:
    blocks: dict[str, Any] = {"block_bytes": BLOCK_BYTES, "record_bytes": RECORD_BYTES}
    match sent.form:
        case "csv":
            yield from csv_pieces(sent.file, names, **blocks)
        case "ndjson":
            yield from json_pieces(sent.file, loaded, names, **blocks)
        case "parquet":
            yield from parquet_pieces(
                io.BytesIO(sent.file.read()),
                names,
                size=sent.size,
                record_bytes=RECORD_BYTES,
                unpacked_bytes=limits.bytes,
            )


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
