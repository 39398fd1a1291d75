"""Counts the faults of a scored part, and the rows that someone should look at."""

from datetime import date
from typing import Any, NamedTuple

import polars as pl

from api.batch_scoring.chunk_scorer import ScoredChunk
from schemas.batches.batch import (
    MAX_NOTICE_ROWS,
    PASSTHROUGH_COLUMNS,
    TIER_COLUMN,
    FaultGroup,
    RowNotice,
)
from scoring.columns.reading.plausibility import list_implausible_dates, list_implausible_rows
from scoring.compiled_rulebook import LoadedRulebook

MISSING_WORDS = frozenset(
    [
        "na",
        "n/a",
        "n.a.",
        "nan",
        "null",
        "nil",
        "none",
        "missing",
        "unknown",
        ".",
        "-",
        "--",
        "?",
        "-1",
        "-9",
        "-77",
        "-88",
        "-99",
        "-999",
        "-9999",
        "77",
        "88",
        "99",
        "777",
        "888",
        "999",
        "9999",
    ]
) | {"don't know", "dont know", "refused", "weiß nicht", "keine angabe", "no sabe"}
"""Words and codes that often mean "no answer" in exports; they say nothing about a patient."""

_TOTALS = (
    *("total", "totals", "grand total", "sum", "average", "mean", "count"),
    *("summe", "gesamt", "gesamtsumme", "mittelwert", "durchschnitt", "anzahl"),
    *("suma", "total general", "promedio", "media", "recuento"),
)


class RowPlace(NamedTuple):
    """How many rows come before a part, and the name of its file if there are several."""

    rows_before: int = 0
    file: str | None = None


def group_faults(chunk: ScoredChunk, place: RowPlace) -> list[FaultGroup]:
    """Return the faults by column and kind, with the common words for "no answer" among them."""
    groups = chunk.faults.group_by("column", "code", "expected", maintain_order=True).agg(
        pl.col("row").n_unique().alias("rows"),
        pl.col("row").min().alias("first_row"),
        pl.col("line").min().alias("first_line"),
        pl.col("row").alias("places"),
    )
    return [
        FaultGroup(
            **{name: group[name] for name in ("column", "code", "expected", "rows", "first_line")},
            first_row=place.rows_before + group["first_row"] + 1,
            file=place.file,
            missing_words=_count_missing_words(chunk.sent_rows, group["column"], group["places"]),
        )
        for group in groups.iter_rows(named=True)
    ]


def merge_faults(groups: list[FaultGroup]) -> tuple[FaultGroup, ...]:
    """Return the groups of several parts as one list, the most frequent first."""
    merged: dict[tuple[str | None, str, str], FaultGroup] = {}
    for group in groups:
        key = (group.column, group.code, group.expected)
        earlier = merged.get(key)
        if earlier is None:
            merged[key] = group
            continue
        words = dict(earlier.missing_words)
        for word, count in group.missing_words.items():
            words[word] = words.get(word, 0) + count
        merged[key] = earlier.model_copy(
            update={"rows": earlier.rows + group.rows, "missing_words": words}
        )
    return tuple(sorted(merged.values(), key=lambda group: -group.rows))


def list_notices(
    chunk: ScoredChunk, loaded: LoadedRulebook, place: RowPlace, today: date
) -> list[RowNotice]:
    """Return the rows that look like a total, are implausible, or answer nothing."""
    questions = [name for name in chunk.intakes.columns if name in loaded.questions]
    is_empty = pl.all_horizontal(pl.col(questions).is_null()) & pl.col("problems").is_null()
    rows_by_code: dict[Any, pl.Series] = {
        "looks_like_a_total": _list_totals(chunk.sent_rows),
        "implausible": list_implausible_rows(chunk.intakes, loaded),
        "implausible_date": list_implausible_dates(chunk.sent_rows, today),
        "no_answers": chunk.intakes.select(is_empty).to_series().arg_true(),
    }
    return [
        RowNotice(
            code=code,
            rows=len(rows),
            first_rows=tuple(place.rows_before + row + 1 for row in rows.head(MAX_NOTICE_ROWS)),
            tiers=count_tiers(chunk.results[rows]),
        )
        for code, rows in rows_by_code.items()
        if len(rows)
    ]


def merge_notices(notices: list[RowNotice]) -> tuple[RowNotice, ...]:
    """Return the notices of several parts as one for each code."""
    merged: dict[str, RowNotice] = {}
    for notice in notices:
        earlier = merged.get(notice.code)
        if earlier is None:
            merged[notice.code] = notice
            continue
        tiers = dict(earlier.tiers)
        for tier, count in notice.tiers.items():
            tiers[tier] = tiers.get(tier, 0) + count
        rows = (*earlier.first_rows, *notice.first_rows)[:MAX_NOTICE_ROWS]
        merged[notice.code] = earlier.model_copy(
            update={"rows": earlier.rows + notice.rows, "first_rows": rows, "tiers": tiers}
        )
    return tuple(merged.values())


def count_tiers(results: pl.DataFrame) -> dict[str, int]:
    """Return how many rows have each tier."""
    counts = results[TIER_COLUMN].drop_nulls().cast(pl.String).value_counts()
    return dict(counts.sort(TIER_COLUMN).iter_rows())


def _count_missing_words(
    rows: pl.DataFrame, column: str | None, places: list[int]
) -> dict[str, int]:
    if column is None or column not in rows.columns or rows[column].dtype != pl.String:
        return {}
    cells = rows[column][sorted(set(places))].str.strip_chars()
    words = cells.filter(cells.str.to_lowercase().is_in(MISSING_WORDS))
    return dict(words.value_counts(sort=True).head(5).iter_rows())


def _list_totals(rows: pl.DataFrame) -> pl.Series:
    """Return the rows whose `row_id` or patient is a word for a total."""
    is_total = pl.Series([False] * rows.height, dtype=pl.Boolean)
    for name in PASSTHROUGH_COLUMNS:
        if name in rows.columns:
            words = rows[name].cast(pl.String).str.strip_chars(" :\t").str.to_lowercase()
            is_total |= words.is_in(_TOTALS).fill_null(value=False)
    return is_total.arg_true()
