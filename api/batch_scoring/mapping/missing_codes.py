"""Empties cells whose word or code was declared to mean: not answered."""

from collections.abc import Collection, Sequence
from typing import Any

import polars as pl


class MissingCodes:
    """Words and codes, in any case; numbers are compared as numbers."""

    def __init__(self, codes: Sequence[str] = ()) -> None:
        self.words = tuple(dict.fromkeys(code.strip().casefold() for code in codes))
        self._numbers = {number for code in self.words if (number := _to_number(code)) is not None}

    def is_missing(self, value: Any) -> bool:
        """Return whether a value of JSON means: not answered."""
        if not self.words or isinstance(value, bool):
            return False
        if isinstance(value, int | float):
            return float(value) in self._numbers
        if isinstance(value, list):
            return len(value) == 1 and self.is_missing(value[0])
        return isinstance(value, str) and self._is_missing_text(value)

    def empty_cells(self, frame: pl.DataFrame, columns: Collection[str]) -> pl.DataFrame:
        """Return the frame with null for each declared word or code in these columns."""
        if not self.words:
            return frame
        changes = [
            expression
            for name, kind in frame.schema.items()
            if name in columns and (expression := self._empty(pl.col(name), kind)) is not None
        ]
        return frame.with_columns(changes)

    def _empty(self, cell: pl.Expr, kind: pl.DataType) -> pl.Expr | None:
        if kind == pl.String:
            text = cell.str.strip_chars().str.to_lowercase()
            is_missing = text.is_in(self.words) | self._is_missing_number(
                text.cast(pl.Float64, strict=False)
            )
        elif kind.is_numeric():
            is_missing = self._is_missing_number(cell.cast(pl.Float64))
        else:
            return None
        return pl.when(~is_missing.fill_null(value=False)).then(cell)

    def _is_missing_number(self, number: pl.Expr) -> pl.Expr:
        return number.is_in(sorted(self._numbers)).fill_null(value=False)

    def _is_missing_text(self, text: str) -> bool:
        word = text.strip().casefold()
        return word in self.words or _to_number(word) in self._numbers


def _to_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
