"""The first generation of scoring rules as Polars expressions."""

from functools import reduce
from operator import add

import polars as pl

from scoring.columns.conditions import answer_column
from scoring.columns.name_lists import RankKeys, is_any_true, sort_names
from scoring.columns.points.scale import ScaleExpressions
from scoring.columns.points.weighing import WeighingStages, find_points_bound
from scoring.compiled_rulebook import LoadedRulebook


class FirstRuleExpressions:
    """When the first generation gives no band, and which answers it calls missing."""

    def __init__(self, loaded: LoadedRulebook, scale: ScaleExpressions) -> None:
        self._loaded = loaded
        self._header = loaded.rulebook.rulebook
        self._scale = scale
        self._keys = RankKeys(len(loaded.questions), find_points_bound(loaded.rulebook))

    def build_stages(self) -> list[list[pl.Expr]]:
        """Return the stages between the sums and the status: none."""
        return []

    def is_insufficient(self) -> pl.Expr:
        """Return whether too little is known for a band."""
        unanswered = [answer_column(name).is_null() for name in self._header.must_answer]
        return is_any_true([*unanswered, self._scale.is_range_too_wide()])

    def build_results(self) -> dict[str, pl.Expr]:
        """Return the columns that only these rules give with a score: none."""
        return {}

    def build_explanations(self) -> dict[str, pl.Expr]:
        """Return the columns that only these rules give with any status: none."""
        return {}

    def list_missing_answers(self) -> pl.Expr:
        """Return the missing questions: required ones first, then by swing, then in their order."""
        names = list(self._loaded.questions)
        keys = [
            self._missing_key(name, index).alias(name)
            for index, name in enumerate(names)
            if name in self._loaded.expected_questions
        ]
        return sort_names(keys, names, self._keys.kind)

    def _missing_key(self, name: str, index: int) -> pl.Expr:
        """Return the sort key of a missing question."""
        if name in self._header.must_answer:
            return pl.when(answer_column(name).is_null()).then(self._keys.put_first(index))
        swings = [
            (
                pl.col(WeighingStages.points_column_name(n, "most"))
                - pl.col(WeighingStages.points_column_name(n, "least"))
            ).cast(self._keys.kind)
            for n, names in enumerate(self._loaded.criterion_questions)
            if name in names
        ]
        if not swings:
            return pl.lit(None, self._keys.kind)
        swing = reduce(add, swings)
        return pl.when(answer_column(name).is_null() & (swing > 0)).then(
            self._keys.rank_name(index, swing)
        )
