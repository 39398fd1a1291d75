"""The common interface of the file readers: pieces of a file, parsed into rows with faults."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import polars as pl

from scoring.columns.reading.parsing import FAULT_SCHEMA, LineLookup


class ParsedRows(NamedTuple):
    """Parsed rows under our column names, their faults by row from 0, and their lines, if any.

    `blank_lines` are lines of the file that are not rows, `left_out` columns or members that are
    not read, and `notes` sentences about the file that its sender should know.
    """

    frame: pl.DataFrame
    faults: pl.DataFrame
    lines: LineLookup | None
    blank_lines: int = 0
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class FilePiece(Protocol):
    """A piece of a file that is parsed on demand."""

    @property
    def input_bytes(self) -> int:
        """The bytes of input that the piece covers."""

    @property
    def content(self) -> bytes:
        """The input that the piece covers, to tell whether it has changed."""

    def parse_rows(self) -> ParsedRows:
        """Parse the rows. Raises UnusableInputError."""


def build_faults_frame(faults: Iterable[tuple[int, str | None, str, str]]) -> pl.DataFrame:
    """Return a frame of faults, each a row from 0, a column, a code and the expected value."""
    rows = [
        (row, None, column, code, expected_value) for row, column, code, expected_value in faults
    ]
    return pl.DataFrame(rows, schema=FAULT_SCHEMA, orient="row")
