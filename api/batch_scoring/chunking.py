"""Splits an uploaded batch file into chunks of rows and serialises them for storage."""

import io
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any, BinaryIO, NamedTuple, Self

import polars as pl

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.counts.row_keys import encode_row_keys, find_repeated_rows
from api.batch_scoring.file_formats import InputFormat, UnusableInputError
from api.batch_scoring.input_files import ReadOptions
from api.batch_scoring.mapping.mapped_rows import RowMapper
from api.batch_scoring.readers.base import FilePiece, ParsedRows, build_faults_frame
from api.batch_scoring.readers.csv import read_csv_pieces
from api.batch_scoring.readers.json_array import open_json_array
from api.batch_scoring.readers.ndjson import read_ndjson_pieces
from api.batch_scoring.readers.parquet import read_parquet_pieces
from api.batch_scoring.readers.table_sources import TableOptions
from api.store.batches.chunk_content import ChunkContent
from schemas.batches.batch import PATIENT_REFERENCE
from scoring.columns import ColumnRules, compile_column_rules
from scoring.compiled_rulebook import LoadedRulebook

BLOCK_BYTES = 2 * 1024 * 1024
RECORD_BYTES = 1024 * 1024
MAX_ARRAY_BYTES = 16 * 1024 * 1024
"""The longest JSON array, which is in memory as a whole; NDJSON has no such limit."""

_LINE = "\0line"


class TooManyRowsError(Exception):
    """More rows than a batch may have. The client must act."""


class RowChunk(NamedTuple):
    """Parsed rows, their faults, and the lines on which they begin, if known."""

    frame: pl.DataFrame
    faults: pl.DataFrame
    lines: list[int] | None

    def slice(self, start: int, count: int) -> Self:
        """Return `count` rows from row `start` on."""
        row = pl.col("row")
        faults = self.faults.filter((row >= start) & (row < start + count))
        return self._replace(
            frame=self.frame.slice(start, count),
            faults=faults.with_columns((row - start).cast(pl.UInt32)),
            lines=None if self.lines is None else self.lines[start : start + count],
        )


class BatchUpload(NamedTuple):
    """An uploaded file, with its size in bytes, its format, and how to read CSV."""

    file: BinaryIO
    size: int
    file_format: InputFormat
    options: ReadOptions = ReadOptions()


class BatchLimits(NamedTuple):
    """Rows in a chunk, rows in a file, and the bytes to which a file may unpack."""

    chunk_rows: int
    max_rows: int
    unpacked_bytes: int


class UploadReader:
    """Reads an uploaded file in chunks, and counts the lines that are not rows."""

    def __init__(
        self, upload: BatchUpload, loaded: LoadedRulebook, limits: BatchLimits, names: ColumnNames
    ) -> None:
        self._upload, self._loaded, self._limits, self._names = upload, loaded, limits, names
        self._row_keys: list[tuple[int, bytes]] = []
        self._left_out: set[str] = set()
        self._blank_lines = 0
        self._encodings: set[str] = set()

    def read_chunks(self) -> Iterator[tuple[int, ChunkContent]]:
        """Yield the rows of the file chunk by chunk, each chunk with its number of rows.

        Raises UnusableInputError, TooManyRowsError.
        """
        total, limits = 0, self._limits
        mapping = self._upload.options.mapping
        mapper = None if mapping is None else RowMapper(self._loaded, mapping)
        if mapper is not None and self._upload.file_format in {"json", "ndjson"}:
            raise UnusableInputError("a mapping reads tables, not JSON")
        for piece in _pieces(self._upload, self._loaded, self._names, limits):
            parsed_rows = piece.parse_rows()
            if mapper is not None:
                parsed_rows = mapper.map_rows(parsed_rows)
            self._row_keys.append((total, encode_row_keys(parsed_rows.frame)))
            self._left_out.update(parsed_rows.left_out)
            self._blank_lines += parsed_rows.blank_lines
            self._encodings.update(parsed_rows.notes)
            frame = self._names.missing.empty_cells(parsed_rows.frame, self._loaded.questions)
            rows = _number_lines(parsed_rows._replace(frame=frame))
            total += rows.frame.height
            if total > limits.max_rows:
                raise TooManyRowsError
            for start in range(0, rows.frame.height, limits.chunk_rows):
                count = min(limits.chunk_rows, rows.frame.height - start)
                yield count, pack_chunk(rows.slice(start, count))

    def describe(self) -> dict[str, Any]:
        """Return counts of lines that are not rows and rows with a repeated id; no patient data."""
        parts = [(rows_before, partial(bytes, keys)) for rows_before, keys in self._row_keys]
        notices = find_repeated_rows(parts)
        return {
            "columns_left_out": len(self._left_out),
            "blank_lines": self._blank_lines,
            "notes": sorted(self._encodings),
            "notices": [notice.model_dump() for notice in notices],
        }


def pack_chunk(chunk: RowChunk) -> ChunkContent:
    """Serialise a chunk for storage."""
    frame = chunk.frame
    references: tuple[str, ...] = ()
    if PATIENT_REFERENCE in frame.columns:
        distinct = frame[PATIENT_REFERENCE].cast(pl.String).drop_nulls().unique().sort()
        references = tuple(reference for reference in distinct if reference)
    if chunk.lines is not None:
        frame = frame.with_columns(pl.Series(_LINE, chunk.lines, pl.UInt64))
    return ChunkContent(references, (_encode_ipc(frame), _encode_ipc(chunk.faults)))


def unpack_chunk(content: ChunkContent) -> RowChunk:
    """Deserialise a chunk."""
    frame, faults = (pl.read_ipc(io.BytesIO(part)) for part in content.parts[:2])
    if _LINE not in frame.columns:
        return RowChunk(frame, faults, None)
    return RowChunk(frame.drop(_LINE), faults, frame[_LINE].to_list())


@lru_cache(maxsize=8)
def compile_rules(loaded: LoadedRulebook) -> ColumnRules:
    """Compile a rulebook for scoring by columns; cached."""
    return compile_column_rules(loaded)


def build_uniform_faults(rows: int, code: str, expected_value: str) -> pl.DataFrame:
    """Return a frame with the same fault for each of `rows` rows."""
    return build_faults_frame((row, None, code, expected_value) for row in range(rows))


def _pieces(
    upload: BatchUpload, loaded: LoadedRulebook, names: ColumnNames, limits: BatchLimits
) -> Iterator[FilePiece]:
    sizes: dict[str, Any] = {"block_bytes": BLOCK_BYTES, "record_bytes": RECORD_BYTES}
    csv = upload.options.csv
    match upload.file_format:
        case "csv":
            yield from read_csv_pieces(upload.file, names, csv, **sizes)
        case "ndjson":
            yield from read_ndjson_pieces(upload.file, loaded, names, **sizes)
        case "json":
            lines = open_json_array(upload.file, MAX_ARRAY_BYTES)
            yield from read_ndjson_pieces(lines, loaded, names, **sizes)
        case kind:
            table = TableOptions(kind, None, csv.header_line, csv.skip_rows)
            yield from read_parquet_pieces(
                upload.file,
                names,
                table=table,
                size=upload.size,
                record_bytes=RECORD_BYTES,
                unpacked_bytes=limits.unpacked_bytes,
            )


def _number_lines(rows: ParsedRows) -> RowChunk:
    lines = rows.lines(list(range(rows.frame.height))) if rows.lines else None
    return RowChunk(rows.frame, rows.faults, lines)


def _encode_ipc(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()
