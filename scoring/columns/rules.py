"""A rulebook's rules over columns: typed answers in, one row of results a row out, in order."""

from functools import cache

import polars as pl

from scoring.loaded import LoadedRulebook


class ColumnRules:
    """One rulebook as lazy expressions; `columns` are the names that come out, in order."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        self.loaded = loaded
        self.columns: tuple[str, ...] = ()

    def assessed(self, intakes: pl.LazyFrame, *, explain: bool = False) -> pl.LazyFrame:
        """The output columns for these answers, one row a row, in order; nothing is run yet.

        A question's column is Boolean, an integer, a float or decimal (two decimals at most), a
        text or Enum (choice), a list of them (multi), or is left out: not answered. A row whose
        `problems` is not empty has no status and no results. With `explain`, each criterion has a
        sentence in `because_<id>`.
        """
        raise NotImplementedError


@cache
def compiled(loaded: LoadedRulebook) -> ColumnRules:
    """The rules of this rulebook over columns; compiled once."""
    return ColumnRules(loaded)
