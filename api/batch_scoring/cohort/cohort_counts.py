"""Counts results for a cohort part by part, and adds the counts of all parts to a cohort."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from schemas.batches.batch import (
    ALL_ASKED_COLUMN,
    ALTERNATIVES_COLUMN,
    ASK_FIRST_COLUMN,
    BAND_COLUMN,
    CONTRADICTIONS_COLUMN,
    FLAGS_COLUMN,
    MISSING_COLUMN,
    NOT_ALL_ASKED,
    NOT_ASKED_COLUMN,
    PICTURE_COLUMN,
    SCOPE_REASONS_COLUMN,
    STATUS_COLUMN,
    TIER_COLUMN,
    WHY_NO_BAND_COLUMN,
)
from schemas.batches.cohort import (
    SMALLEST_COUNT,
    Cohort,
    CohortCount,
    CohortTable,
    CrossTable,
    CrossTableRow,
)
from scoring.columns.output_columns import list_output_gradings
from scoring.common_rules.safety import NO_TIER
from scoring.compiled_rulebook import LoadedRulebook

PartCounts = dict[str, Any]
"""Counts of one part, as JSON: `results` by column and value, `cross` by kept column."""

MAX_VALUES = 50
POINTS_STEP = 3
_DISTRIBUTION = "distribution"
_TITLES = {
    TIER_COLUMN: "Most urgent red flag",
    FLAGS_COLUMN: "Red flags",
    NOT_ASKED_COLUMN: "Red flag questions that were not answered",
    STATUS_COLUMN: "Status",
    BAND_COLUMN: "Band",
    _DISTRIBUTION: "Points, in steps of 3",
    PICTURE_COLUMN: "Pain mechanism",
    SCOPE_REASONS_COLUMN: "Why out of scope",
    WHY_NO_BAND_COLUMN: "Why there is no band",
    MISSING_COLUMN: "Most often unanswered",
    ASK_FIRST_COLUMN: "Worth asking first: these answers could settle the band",
    ALTERNATIVES_COLUMN: "Other explanations",
    CONTRADICTIONS_COLUMN: "Contradictory answers",
}
_CROSSED = (TIER_COLUMN, STATUS_COLUMN, BAND_COLUMN)


def count_part(
    results: pl.DataFrame, loaded: LoadedRulebook, keep: Sequence[str] = ()
) -> PartCounts:
    """Return the counts of the results of one part."""
    columns = [name for name in (*_TITLES, *list_output_gradings(loaded)) if name in results]
    counts = {name: _count(results[name]) for name in columns}
    counts[_DISTRIBUTION] = _count_points(results, loaded)
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


def build_cohort(parts: Iterable[PartCounts], loaded: LoadedRulebook) -> Cohort:
    """Return the cohort of all parts."""
    totals: Counter[str] = Counter()
    results: dict[str, Counter[str]] = {}
    cross: dict[str, dict[str, dict[str, Counter[str]]]] = {}
    for part in parts:
        totals.update({name: part[name] for name in ("rows", "problems", "flagged")})
        totals["not_all_asked"] += part["not_all_asked"]
        for name, counts in part["results"].items():
            results.setdefault(name, Counter()).update(counts)
        for name, columns in part["cross"].items():
            for column, values in columns.items():
                by_value = cross.setdefault(name, {}).setdefault(column, {})
                for value, counts in values.items():
                    by_value.setdefault(value, Counter()).update(counts)
    labels = _list_labels(loaded)
    titles = _TITLES | {grading.id: grading.label for grading in loaded.rulebook.grading}
    return Cohort(
        rulebook=loaded.name,
        rows=totals["rows"],
        rows_with_problems=totals["problems"],
        rows_with_flags=totals["flagged"],
        rows_not_all_asked=totals["not_all_asked"],
        tables=tuple(
            _build_table(name, titles.get(name, name), results[name], labels)
            for name in titles
            if results.get(name)
        ),
        cross_tables=tuple(
            _build_cross_table(name, column, values, labels)
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
        pl.col(name).fill_null("(empty)"), pl.col(column).cast(pl.String).fill_null("(none)")
    )
    counts: dict[str, dict[str, int]] = {}
    for value, result, rows in pairs.group_by(name, column).len().sort(name, column).iter_rows():
        counts.setdefault(value, {})[result] = rows
    return counts


def _list_labels(loaded: LoadedRulebook) -> dict[str, dict[str, str]]:
    """Return the label of each value, by column."""
    book = loaded.rulebook
    questions = {question.id: question.label for question in book.question}
    tiers = {tier.id: tier.id for tier in book.tier}
    return {
        FLAGS_COLUMN: {flag.id: flag.label for flag in book.flag},
        TIER_COLUMN: {**tiers, NO_TIER: "none, all asked", NOT_ALL_ASKED: "not all asked"},
        NOT_ASKED_COLUMN: questions,
        MISSING_COLUMN: questions,
        ASK_FIRST_COLUMN: questions,
        BAND_COLUMN: {band.id: band.label for band in book.band},
        SCOPE_REASONS_COLUMN: {rule.id: rule.label for rule in book.scope},
        ALTERNATIVES_COLUMN: {it.id: it.label for it in book.alternative},
        CONTRADICTIONS_COLUMN: {it.id: it.text for it in book.contradiction},
        WHY_NO_BAND_COLUMN: {it.id: it.text for it in book.no_band_reason},
        **{grading.id: {step.id: step.label for step in grading.grade} for grading in book.grading},
    }


def _build_table(
    name: str, title: str, counts: Counter[str], labels: dict[str, dict[str, str]]
) -> CohortTable:
    known_labels = labels.get(name, {})
    return CohortTable(
        id=name,
        title=title,
        counts=tuple(
            CohortCount(id=value, label=_label(value, known_labels), rows=counts[value])
            for value in _sort_values(name, counts, labels)
        ),
    )


def _sort_values(
    name: str, counts: Mapping[str, int], labels: dict[str, dict[str, str]]
) -> list[str]:
    if name == _DISTRIBUTION:
        return sorted(counts, key=int)
    if name in {TIER_COLUMN, BAND_COLUMN}:
        order = [*labels[name]]
        return sorted(counts, key=lambda it: order.index(it) if it in order else len(order))
    return sorted(counts, key=lambda it: (-counts[it], it))


def _build_cross_table(
    name: str,
    column: str,
    values: dict[str, Counter[str]],
    labels: dict[str, dict[str, str]],
) -> CrossTable:
    shown_values = sorted(sorted(values, key=lambda it: (-values[it].total(), it))[:MAX_VALUES])
    results = _sort_values(column, sum(values.values(), Counter[str]()), labels)
    counts = withhold_small_counts(
        [[values[it][result] for result in results] for it in shown_values]
    )
    return CrossTable(
        column=name,
        title=_TITLES[column],
        rows=tuple(
            CrossTableRow(
                value=value,
                counts=tuple(
                    CohortCount(id=result, label=_label(result, labels.get(column, {})), rows=rows)
                    for result, rows in zip(results, row, strict=True)
                ),
            )
            for value, row in zip(shown_values, counts, strict=True)
        ),
        values_left_out=len(values) - len(shown_values),
    )


def withhold_small_counts(counts: list[list[int]]) -> list[list[int | None]]:
    """Return the counts of a table with None for small ones, and for those that would reveal them.

    A line or column with one withheld count would reveal it by its sum, so a second one is withheld
    too: the smallest, or a zero if there is nothing else.
    """
    places = [(row, column) for row, line in enumerate(counts) for column in range(len(line))]
    withheld = {(r, c) for r, c in places if 0 < counts[r][c] < SMALLEST_COUNT}
    lines = [[it for it in places if it[0] == row] for row in range(len(counts))]
    lines += [[it for it in places if it[1] == column] for column in {c for _, c in places}]
    changed = True
    while changed:
        changed = False
        for line in lines:
            open_places = [it for it in line if it not in withheld]
            if len(withheld.intersection(line)) == 1 and open_places:
                size = {it: counts[it[0]][it[1]] for it in open_places}
                withheld.add(min(open_places, key=lambda it: size[it] or math.inf))
                changed = True
    return [
        [None if (r, c) in withheld else count for c, count in enumerate(line)]
        for r, line in enumerate(counts)
    ]


def _label(value: str, labels: Mapping[str, str]) -> str:
    return labels.get(value, value.replace("_", " "))
