"""Sums up what a run did: the counts of each part, and of all parts together."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import partial
from itertools import accumulate
from typing import Any, Protocol

from api.batch_scoring.checkpoints import PartSummary
from api.batch_scoring.chunk_scorer import ScoredChunk
from api.batch_scoring.cohort.cohort_counts import build_cohort, count_part
from api.batch_scoring.cohort.visits import collect_visits
from api.batch_scoring.counts.part_counts import (
    RowPlace,
    group_faults,
    list_notices,
    merge_faults,
    merge_notices,
)
from api.batch_scoring.counts.row_keys import MAX_ROWS, find_repeated_rows
from api.batch_scoring.readers.base import ParsedRows
from schemas.batches.batch import (
    BAND_COLUMN,
    MAX_SUMMARY_PROBLEMS,
    STATUS_COLUMN,
    TIER_COLUMN,
    BatchSummary,
)
from scoring.columns import ColumnRules
from scoring.compiled_rulebook import LoadedRulebook


class StoredParts(Protocol):
    """Where the keys of the rows of each part are, and the visits of people."""

    def read_row_keys(self, number: int) -> bytes:
        """Return the keys of a part."""

    def read_visits(self, number: int) -> bytes:
        """Return the visits of a part."""


def summarise_part(  # noqa: PLR0913, PLR0917 - what is known of a part
    chunk: ScoredChunk,
    rows: ParsedRows,
    loaded: LoadedRulebook,
    earlier: list[PartSummary],
    label: str | None,
    keep: Sequence[str],
    today: date,
) -> PartSummary:
    """Return the counts of a part; `label` is the name of its file if there are several."""
    place = RowPlace(sum(part.rows for part in earlier), label)
    return PartSummary(
        rows=chunk.results.height,
        rows_with_problems=chunk.faults["row"].n_unique(),
        by_status=chunk.count_values(STATUS_COLUMN),
        by_band=chunk.count_values(BAND_COLUMN),
        by_tier=chunk.count_values(TIER_COLUMN),
        problems=chunk.list_problems(
            rows_before=place.rows_before,
            file=label,
            limit=MAX_SUMMARY_PROBLEMS - sum(len(part.problems) for part in earlier),
        ),
        problems_total=chunk.faults.height,
        faults=tuple(group_faults(chunk, place)),
        notices=tuple(list_notices(chunk, loaded, place, today)),
        blank_lines=rows.blank_lines,
        left_out=rows.left_out,
        notes=rows.notes,
        cohort=count_part(chunk.results, loaded, keep),
    )


def summarise_run(
    rules: ColumnRules, summaries: list[PartSummary], parts: StoredParts, language: str = "en"
) -> BatchSummary:
    """Return the counts of all parts, with the cohort in a language."""

    def add_counts(name: str) -> dict[str, int]:
        total: Counter[str] = Counter()
        for summary in summaries:
            total.update(getattr(summary, name))
        return dict(total.most_common())

    def join(name: str) -> tuple[Any, ...]:
        return tuple(item for summary in summaries for item in getattr(summary, name))

    rows_before = [0, *accumulate(summary.rows for summary in summaries)]
    keys = [(rows_before[n], partial(parts.read_row_keys, n)) for n in range(len(summaries))]
    visits = collect_visits([partial(parts.read_visits, n) for n in range(len(summaries))])
    counts = (it.cohort for it in summaries if it.cohort)
    return BatchSummary(
        rulebook=rules.loaded.name,
        rulebook_sha256=rules.loaded.sha256,
        rows=rows_before[-1],
        rows_with_problems=sum(summary.rows_with_problems for summary in summaries),
        by_status=add_counts("by_status"),
        by_band=add_counts("by_band"),
        by_tier=add_counts("by_tier"),
        problems=join("problems"),
        problems_total=sum(summary.problems_total for summary in summaries),
        faults=merge_faults([*join("faults")]),
        notices=(*find_repeated_rows(keys), *merge_notices([*join("notices")])),
        blank_lines=sum(summary.blank_lines for summary in summaries),
        columns_left_out=tuple(dict.fromkeys(join("left_out"))),
        notes=(*dict.fromkeys(join("notes")), *_describe_limit(rows_before[-1])),
        cohort=build_cohort(counts, rules.loaded, visits, language),
    )


def _describe_limit(rows: int) -> list[str]:
    if rows <= MAX_ROWS:
        return []
    return [f"repeated row_ids were searched for in the first {MAX_ROWS:,} rows only"]
