"""Reads Parquet: typed columns, one slice of rows at a time, decoded in a child process."""

import io
import json
import pickle  # nosec B403 - only to write to our own child process
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import polars as pl

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers.base import ParsedRows, build_faults_frame
from api.batch_scoring.readers.parquet_decoder import DecodeRequest
from api.batch_scoring.readers.record_blocks import BLOCK_BYTES, RECORD_BYTES
from api.batch_scoring.readers.table_damage import check_file
from api.batch_scoring.readers.table_sources import LINE_COLUMN, TableOptions
from api.problems import Problem
from api.processes.child_process import ChildProcess, ChildStoppedError

MAX_MEMORY_BYTES = 2560 * 1024 * 1024
"""The address space of a child, of which its libraries take 1 GiB; the file's size comes on top."""

SECONDS_PER_SLICE = 120.0
PARQUET = TableOptions()
_MAX_ANSWER_BYTES = 256 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
_free_processes = threading.BoundedSemaphore(2)


class ParquetPiece(NamedTuple):
    """A slice of a Parquet file, as Arrow IPC."""

    content: bytes
    input_bytes: int
    left_out: tuple[str, ...] = ()
    blank_lines: int = 0
    notes: tuple[str, ...] = ()

    def parse_rows(self) -> ParsedRows:
        """Read the columns with the types of the file."""
        frame, lines = pl.read_ipc(io.BytesIO(self.content)), None
        if LINE_COLUMN in frame.columns:
            first_lines = frame[LINE_COLUMN]
            frame, lines = frame.drop(LINE_COLUMN), lambda rows: first_lines[rows].to_list()
        faults = build_faults_frame(())
        return ParsedRows(frame, faults, lines, self.blank_lines, self.left_out, self.notes)


def read_parquet_pieces(  # noqa: PLR0913 - a file, its kind and its limits
    source: str | BinaryIO,
    names: ColumnNames,
    *,
    size: int,
    record_bytes: int = RECORD_BYTES,
    unpacked_bytes: int | None = None,
    table: TableOptions = PARQUET,
) -> Iterator[ParquetPiece]:
    """Yield the slices of a file of `size` bytes, each of at most a block of text.

    Raises UnusableInputError for a column of an unsupported type, a list with more elements than
    options, a row of more than `record_bytes`, a file that unpacks to more than `unpacked_bytes`,
    and one that takes too much memory or time. Raises Problem `too_many` if no process is free.
    """
    path = source if isinstance(source, str) else None
    if path is not None:
        height = check_file(Path(path), table.kind)
        table = table if height is None else table._replace(height=height)
    request = DecodeRequest(names, size, path, BLOCK_BYTES, record_bytes, unpacked_bytes, table)
    try:
        with _running_child(size, table.kind) as child:
            child.send(pickle.dumps(request))
            if not isinstance(source, str):
                while piece := source.read(_PIECE_BYTES):
                    child.send(piece)
                child.send(b"")
            while answer := child.read_answer(SECONDS_PER_SLICE):
                match json.loads(answer):
                    case {
                        "input_bytes": int(input_bytes),
                        "left_out": [*left_out],
                        "blank_lines": int(blank_lines),
                        "notes": [*notes],
                    }:
                        content = child.read_answer(SECONDS_PER_SLICE)
                        yield ParquetPiece(
                            content, input_bytes, (*left_out,), blank_lines, (*notes,)
                        )
                    case message, option:
                        raise UnusableInputError(message, option=option)
    except ChildStoppedError:
        raise UnusableInputError("reading the file takes too much memory or time") from None


@contextmanager
def _running_child(size: int, kind: str) -> Iterator[ChildProcess]:
    if not _free_processes.acquire(timeout=SECONDS_PER_SLICE):
        raise Problem("too_many", headers={"Retry-After": "30"})
    try:
        child = ChildProcess(
            "api.batch_scoring.readers.parquet_worker",
            MAX_MEMORY_BYTES + size,
            kind,
            max_answer=_MAX_ANSWER_BYTES,
        )
        try:
            yield child
        finally:
            child.kill()
    finally:
        _free_processes.release()
