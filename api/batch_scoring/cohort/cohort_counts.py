"""Counts results for a cohort part by part, and adds the counts of all parts to a cohort."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from api.batch_scoring.cohort.cohort_labels import EMPTY, NO_RESULT, CohortLabels
from api.batch_scoring.cohort.cohort_tables import DISTRIBUTION, build_cross_table, build_table
from api.batch_scoring.cohort.visit_changes import build_visits
from api.batch_scoring.cohort.visits import Visits
from schemas.batches.batch import (
    ALL_ASKED_COLUMN,
    ALTERNATIVES_COLUMN,
    ASK_FIRST_COLUMN,
    BAND_COLUMN,
    CONTRADICTIONS_COLUMN,
    FLAGS_COLUMN,
    MISSING_COLUMN,
    NOT_ASKED_COLUMN,
    PICTURE_COLUMN,
    SCOPE_REASONS_COLUMN,
    STATUS_COLUMN,
    TIER_COLUMN,
    WHY_NO_BAND_COLUMN,
)
from schemas.batches.cohort import Cohort
from scoring.columns.output_columns import list_output_gradings
from scoring.compiled_rulebook import LoadedRulebook

PartCounts = dict[str, Any]
"""Counts of one part, as JSON: `results` by column and value, `cross` by kept column."""

POINTS_STEP = 3
_COLUMNS = (
    TIER_COLUMN,
    FLAGS_COLUMN,
    NOT_ASKED_COLUMN,
    STATUS_COLUMN,
    BAND_COLUMN,
    DISTRIBUTION,
    PICTURE_COLUMN,
    SCOPE_REASONS_COLUMN,
    WHY_NO_BAND_COLUMN,
    MISSING_COLUMN,
    ASK_FIRST_COLUMN,
    ALTERNATIVES_COLUMN,
    CONTRADICTIONS_COLUMN,
)
_TOTALS = ("rows", "problems", "flagged", "not_all_asked")
_CROSSED = (TIER_COLUMN, STATUS_COLUMN, BAND_COLUMN)


def count_part(
    results: pl.DataFrame, loaded: LoadedRulebook, keep: Sequence[str] = ()
) -> PartCounts:
    """Return the counts of the results of one part."""
    columns = [name for name in (*_COLUMNS, *list_output_gradings(loaded)) if name in results]
    counts = {name: _count(results[name]) for name in columns}
    counts[DISTRIBUTION] = _count_points(results, loaded)
    is_flagged = results[FLAGS_COLUMN].list.len() > 0
    return {
        "rows": results.height,
        "problems": results[STATUS_COLUMN].null_count(),
        "flagged": int(is_flagged.sum()),
        "not_all_asked": int((~results[ALL_ASKED_COLUMN]).sum()),
        "results": counts,
        "cross": {
            name: {
                column: _cross(results, name, column) for column in _CROSSED if column in results
            }
            for name in keep
        },
    }


def build_cohort(
    parts: Iterable[PartCounts],
    loaded: LoadedRulebook,
    visits: Visits | None = None,
    language: str = "en",
) -> Cohort:
    """Return the cohort of all parts in a language; in English if the rulebook is not in it."""
    totals: Counter[str] = Counter()
    results: dict[str, Counter[str]] = {}
    cross: dict[str, dict[str, dict[str, Counter[str]]]] = {}
    for part in parts:
        totals.update({name: part[name] for name in _TOTALS})
        for name, counts in part["results"].items():
            results.setdefault(name, Counter()).update(counts)
        for name, columns in part["cross"].items():
            for column, values in columns.items():
                by_value = cross.setdefault(name, {}).setdefault(column, {})
                for value, counts in values.items():
                    by_value.setdefault(value, Counter()).update(counts)
    labels = CohortLabels.load(loaded, language)
    return Cohort(
        rulebook=loaded.name,
        language=labels.texts.language,
        rows=totals["rows"],
        rows_with_problems=totals["problems"],
        rows_with_flags=totals["flagged"],
        rows_not_all_asked=totals["not_all_asked"],
        tables=tuple(
            build_table(name, results[name], labels) for name in labels.titles if results.get(name)
        ),
        visits=None if visits is None else build_visits(visits, loaded, labels),
        cross_tables=tuple(
            build_cross_table(name, column, values, labels)
            for name, columns in cross.items()
            for column, values in columns.items()
        ),
    )


def _count(values: pl.Series) -> dict[str, int]:
    words = values.explode() if isinstance(values.dtype, pl.List) else values
    counts = words.drop_nulls().cast(pl.String).value_counts(sort=True)
    return dict(counts.iter_rows())


def _count_points(results: pl.DataFrame, loaded: LoadedRulebook) -> dict[str, int]:
    """Return how many scored rows have points of each step of the banded total."""
    banded = [total.id for total in loaded.rulebook.total if total.banded]
    if not banded or STATUS_COLUMN not in results:
        return {}
    is_scored = results[STATUS_COLUMN].cast(pl.String) == "scored"
    points = results[banded[0]].filter(is_scored.fill_null(value=False)).drop_nulls()
    starts = (points / POINTS_STEP).floor().cast(pl.Int64) * POINTS_STEP
    return _count(starts)


def _cross(results: pl.DataFrame, name: str, column: str) -> dict[str, dict[str, int]]:
    pairs = results.select(
        pl.col(name).fill_null(EMPTY), pl.col(column).cast(pl.String).fill_null(NO_RESULT)
    )
    counts: dict[str, dict[str, int]] = {}
    for value, result, rows in pairs.group_by(name, column).len().sort(name, column).iter_rows():
        counts.setdefault(value, {})[result] = rows
    return counts
