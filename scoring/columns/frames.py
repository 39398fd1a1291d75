"""Scores Polars frames: as a function, as `frame.nociscreen.score()`, and as an expression."""

from collections.abc import Sequence
from functools import lru_cache

import polars as pl

from scoring.catalogue import load_catalogue
from scoring.columns.reading.parsing import parse_intakes
from scoring.columns.reading.question_names import QuestionNames
from scoring.columns.rules import ColumnRules, compile_column_rules


def score_frame(
    frame: pl.DataFrame,
    rulebook: str = "nociplastic",
    *,
    explain: bool = False,
    ignore_unknown: bool = False,
) -> pl.DataFrame:
    """Return one row of results for each row, in order.

    Text columns are parsed like CSV cells, typed columns like JSON. A row with a fault has
    `problems` and no status. Raises UnknownRulebookError, and ValueError for an unknown column,
    unless `ignore_unknown`, and always for one whose name is nearly that of a question.
    """
    rules, names = _find_rules(rulebook)
    names.refuse_unknown(frame.columns, ignore_unknown=ignore_unknown)
    intakes = parse_intakes(frame, rules.loaded).intakes
    return rules.assess_intakes(intakes.lazy(), explain=explain).collect(engine="streaming")


def score_columns(columns: Sequence[str], rulebook: str = "nociplastic") -> pl.Expr:
    """Return an expression over columns of answers: a struct with a field for each result.

    Raises UnknownRulebookError, and ValueError for a column that is not a question.
    """
    rules, names = _find_rules(rulebook)
    names.refuse_unknown(columns, ignore_unknown=False)
    schema = rules.assess_intakes(pl.LazyFrame()).collect_schema()

    def score(rows: pl.Series) -> pl.Series:
        return score_frame(rows.struct.unnest(), rulebook).to_struct("results")

    return pl.struct(*columns).map_batches(
        score, return_dtype=pl.Struct(schema), is_elementwise=True
    )


@pl.api.register_dataframe_namespace("nociscreen")
class NociscreenNamespace:
    """`frame.nociscreen` of a Polars frame."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def score(
        self,
        rulebook: str = "nociplastic",
        *,
        explain: bool = False,
        ignore_unknown: bool = False,
    ) -> pl.DataFrame:
        """Return one row of results for each row, as `score_frame` does."""
        return score_frame(self._frame, rulebook, explain=explain, ignore_unknown=ignore_unknown)


@lru_cache(maxsize=8)
def _find_rules(rulebook: str) -> tuple[ColumnRules, QuestionNames]:
    loaded = load_catalogue().find_active(rulebook)
    return compile_column_rules(loaded), QuestionNames(loaded)
