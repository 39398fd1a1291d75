"""Counts how people changed between visits, without small counts."""

from collections import Counter

import polars as pl

from api.batch_scoring.cohort.cohort_labels import NO_RESULT, CohortLabels
from api.batch_scoring.cohort.cohort_tables import label_rows, sort_values
from api.batch_scoring.cohort.small_counts import withhold_nested_counts, withhold_small_counts
from api.batch_scoring.cohort.visits import (
    PERSON,
    SUM,
    ChangeRule,
    Visits,
    find_change_rule,
)
from schemas.batches.batch import BAND_COLUMN, TIER_COLUMN
from schemas.batches.cohort import (
    CohortCount,
    CohortVisits,
    CrossTable,
    ScoreChange,
    VisitScore,
)
from scoring.compiled_rulebook import LoadedRulebook

MAX_VISITS = 24
PERCENT = 100
_CHANGES = ("improved", "unchanged", "worsened", "first_score_zero")


def build_visits(
    visits: Visits, loaded: LoadedRulebook, labels: CohortLabels
) -> CohortVisits | None:
    """Return the change over time; None if no one has several visits."""
    if visits.frame.is_empty():
        return None
    rule, frame = find_change_rule(loaded), visits.frame
    scores = _number_scores(frame)
    sizes = [visits.people, frame[PERSON].n_unique(), *_count_people(scores)]
    _, returning, *compared = withhold_nested_counts(sizes)
    by_file = frame.filter("by_file")[PERSON].n_unique()
    return CohortVisits(
        people=visits.people,
        people_with_visits=returning,
        people_without_dates=None
        if returning is None
        else withhold_small_counts([[by_file, returning - by_file]])[0][0],
        change=_build_change(scores, compared, rule, labels) if rule else None,
        transitions=() if returning is None else _build_transitions(frame, labels),
    )


def _number_scores(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the visits with a score, numbered, of people with two scores or more."""
    scores = frame.filter(pl.col(SUM).is_not_null() & (pl.col(SUM).count().over(PERSON) > 1))
    return scores.with_columns((pl.int_range(pl.len()).over(PERSON) + 1).alias("visit"))


def _count_people(scores: pl.DataFrame) -> list[int]:
    """Return how many people have a score at each visit."""
    return scores.group_by("visit").len().sort("visit")["len"].to_list()


def _build_change(
    scores: pl.DataFrame, people: list[int | None], rule: ChangeRule, labels: CohortLabels
) -> ScoreChange | None:
    if not people or people[0] is None:
        return None
    divisor = len(rule.questions)
    ends = scores.group_by(PERSON).agg(
        pl.col(SUM).first().alias("first"), pl.col(SUM).last().alias("last")
    )
    kinds = Counter(ends.select(_name_change(rule)).to_series())
    counts = withhold_small_counts([[kinds[kind] for kind in _CHANGES]])[0]
    medians = scores.group_by("visit").agg(pl.col(SUM).median()).sort("visit")[SUM]
    median_change = ends.select((pl.col("last") - pl.col("first")).median()).item()
    visits = [
        VisitScore(
            visit=number,
            people=count,
            median=None if count is None else round(median / divisor, 1),
        )
        for number, (count, median) in enumerate(zip(people, medians, strict=True), 1)
    ]
    return ScoreChange(
        label=rule.label,
        maximum=rule.maximum,
        percent=rule.percent,
        note=rule.note[labels.texts.language],
        people=people[0],
        counts=tuple(
            CohortCount(
                id=kind,
                label=labels.label("change", kind).format(percent=rule.percent),
                rows=count,
            )
            for kind, count in zip(_CHANGES, counts, strict=True)
        ),
        median_change=round(median_change / divisor, 1),
        visits=tuple(visits[:MAX_VISITS]),
        visits_left_out=len(visits[MAX_VISITS:]),
    )


def _name_change(rule: ChangeRule) -> pl.Expr:
    """Return the kind of each change; the shares are exact, by sums of whole numbers."""
    first, rise = pl.col("first"), pl.col("last") - pl.col("first")
    share = rise * PERCENT
    return (
        pl.when(first == 0)
        .then(pl.lit("first_score_zero"))
        .when(share <= -rule.percent * first)
        .then(pl.lit("improved"))
        .when(share >= rule.percent * first)
        .then(pl.lit("worsened"))
        .otherwise(pl.lit("unchanged"))
        .alias("kind")
    )


def _build_transitions(frame: pl.DataFrame, labels: CohortLabels) -> tuple[CrossTable, ...]:
    columns = [name for name in (TIER_COLUMN, BAND_COLUMN) if frame[name].count()]
    return tuple(_build_transition(frame, name, labels) for name in columns)


def _build_transition(frame: pl.DataFrame, name: str, labels: CohortLabels) -> CrossTable:
    result = pl.col(name).fill_null(NO_RESULT)
    ends = frame.group_by(PERSON).agg(result.first().alias("first"), result.last().alias("last"))
    rows: dict[str, Counter[str]] = {}
    for first, last, count in ends.group_by("first", "last").len().iter_rows():
        rows.setdefault(first, Counter())[last] = count
    order = sort_values(name, {value: row.total() for value, row in rows.items()}, labels)
    return CrossTable(
        column=labels.texts.say("first_visit"),
        title=labels.texts.say("at_last_visit", title=labels.titles[name]),
        rows=label_rows({labels.label(name, it): rows[it] for it in order}, name, labels),
    )
