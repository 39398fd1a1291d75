"""Prints what a batch run did: first what someone must do, then what was set aside, then counts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from api.cli.context import print_note

if TYPE_CHECKING:
    from schemas.batches.batch import BatchSummary

SHOWN_PROBLEMS = 20


def print_summary(summary: "BatchSummary") -> None:
    """Print the summary on standard error."""
    for lines in (_list_faults(summary), _list_notices(summary), _list_counts(summary)):
        for line in lines:
            print_note(line)


def _list_faults(summary: "BatchSummary") -> Iterator[str]:
    """Yield faults that concern several rows, then the first problems row by row."""
    groups = [group for group in summary.faults if group.rows > 1]
    yield from (group.message for group in groups[:SHOWN_PROBLEMS])
    if len(groups) > SHOWN_PROBLEMS:
        yield f"and {len(groups) - SHOWN_PROBLEMS:,} more kinds of problems"
    if any(group.missing_words for group in summary.faults):
        yield "declare a word for no answer with --missing WORD, once for each word"
    yield from (problem.message for problem in summary.problems[:SHOWN_PROBLEMS])
    if summary.problems_total > SHOWN_PROBLEMS:
        yield f"and {summary.problems_total - SHOWN_PROBLEMS:,} more problems"
    if summary.rows_with_problems:
        yield f"{summary.rows_with_problems:,} rows had problems; see the column `problems`"


def _list_notices(summary: "BatchSummary") -> Iterator[str]:
    yield from summary.notes
    yield from (notice.message for notice in summary.notices)
    left_out = summary.columns_left_out
    if left_out:
        more = f" and {len(left_out) - 20:,} more" if len(left_out) > 20 else ""
        yield f"{len(left_out):,} columns were not read: {', '.join(left_out[:20])}{more}"
    if summary.blank_lines:
        yield f"{summary.blank_lines:,} blank lines were skipped"


def _list_counts(summary: "BatchSummary") -> Iterator[str]:
    yield f"{summary.rows:,} rows scored by {summary.rulebook}"
    for title, counts in (
        ("status", summary.by_status),
        ("band", summary.by_band),
        ("tier", summary.by_tier),
    ):
        if counts:
            yield f"{title}: " + ", ".join(f"{name} {n:,}" for name, n in counts.items())
