"""Sentences over columns: why a criterion gives what it gives, in the words of the rulebook."""

from collections.abc import Callable

import polars as pl

from scoring.columns.conditions import Meaning
from scoring.loaded import LoadedRulebook


class Sentences:
    """The sentences of one rulebook as expressions."""

    def __init__(self, loaded: LoadedRulebook, meaning: Meaning) -> None:
        self._loaded = loaded
        self._meaning = meaning

    def stages(self) -> list[list[pl.Expr]]:
        return []

    def written(self, shown: Callable[[pl.Expr], pl.Expr]) -> dict[str, pl.Expr]:
        return {}
