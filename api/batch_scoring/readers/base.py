"""What was read: a piece of a file as columns, what was wrong with its rows, and their lines."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import polars as pl

from scoring.columns.parsing import FAULTS, Lines


class Rows(NamedTuple):
    """Columns by our names; faults of whole rows, from 0; `lines` is None where there are none."""

    frame: pl.DataFrame
    faults: pl.DataFrame
    lines: Lines | None


class Piece(Protocol):
    """A piece of a file that is read when it is wanted; `bytes` is its share of the input."""

    @property
    def bytes(self) -> int:
        """How much of the input it is."""

    def rows(self) -> Rows:
        """The rows. Raises UnusableInputError."""


def faults_of(found: Iterable[tuple[int, str | None, str, str]]) -> pl.DataFrame:
    """Faults as (row, column, code, expected) as a frame."""
    rows = [(row, None, column, code, expected) for row, column, code, expected in found]
    return pl.DataFrame(rows, schema=FAULTS, orient="row")
