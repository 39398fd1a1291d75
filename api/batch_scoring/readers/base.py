"""The common interface of the file readers: pieces of a file, parsed into rows with faults."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import polars as pl

from scoring.columns.parsing import FAULT_SCHEMA, LineLookup


class ParsedRows(NamedTuple):
    """Parsed rows under our column names, their faults by row from 0, and their lines, if any."""

    frame: pl.DataFrame
    faults: pl.DataFrame
    lines: LineLookup | None


class FilePiece(Protocol):
    """A piece of a file that is parsed on demand."""

    @property
    def input_bytes(self) -> int:
        """The bytes of input that the piece covers."""

    def parse_rows(self) -> ParsedRows:
        """Parse the rows. Raises UnusableInputError."""


def build_faults_frame(faults: Iterable[tuple[int, str | None, str, str]]) -> pl.DataFrame:
    """Return a frame of faults, each a row from 0, a column, a code and the expected value."""
    rows = [
        (row, None, column, code, expected_value) for row, column, code, expected_value in faults
    ]
    return pl.DataFrame(rows, schema=FAULT_SCHEMA, orient="row")
