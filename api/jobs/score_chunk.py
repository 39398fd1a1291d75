"""Scores a chunk: one row of results for each row that was sent, even if scoring it fails."""

from collections.abc import Iterator
from typing import Any

import polars as pl
import structlog
from polars.exceptions import PanicException

from api.batch_scoring.chunk_scorer import ScoredChunk, scored
from api.batch_scoring.chunking import Chunk, all_faulty, rules_of, unpacked
from api.batch_scoring.writers import as_part
from api.store.batches.chunks import DONE, SET_ASIDE, Outcome, Taken
from schemas.batch import BAND, PASSED_THROUGH, PROBLEMS, ROW_ID, STATUS, TIER
from schemas.batch_job import BatchProblem
from scoring.catalogue import Catalogue
from scoring.columns import ColumnRules
from scoring.compiled_rulebook import LoadedRulebook

SET_ASIDE_TEXT = "could not be scored, however often it was tried; it was set aside"
_log = structlog.get_logger("nociscreen")


def rulebook_of(rulebooks: Catalogue, name: str) -> LoadedRulebook:
    """Return the rulebook `instrument@version` of a batch, even if it is retired by now."""
    instrument, _, version = name.partition("@")
    return rulebooks.any_status(instrument, version)


def score(rulebooks: Catalogue, task: Taken, tries: int) -> Outcome:
    """Score a chunk. Raises if it fails and may be retried.

    At the last try only the rows that fail on their own are set aside; a chunk that ended its
    process at every try is set aside whole, unread. From the last try on, no content of the rows
    can make it raise: rows that cannot be set aside one by one lose their identifiers.
    """
    rules = rules_of(rulebook_of(rulebooks, task.batch.rulebook))
    explain = bool(task.batch.options.get("explain"))
    if task.tries < tries:
        return _build_outcome(task, _score(unpacked(task.given), rules, explain=explain), DONE)
    try:
        if task.tries == tries:
            return _score_by_row(task, rules, explain=explain)
        skipped = _set_aside(unpacked(task.given), rules, explain=explain)
    except (Exception, PanicException) as error:  # noqa: BLE001 - any failure ends the last try
        _log.warning("set_aside", rows=task.rows, error=type(error).__name__)
        skipped = _set_aside_unread(task.rows, rules, explain=explain)
    return _build_outcome(task, skipped, SET_ASIDE)


def _score_by_row(task: Taken, rules: ColumnRules, *, explain: bool) -> Outcome:
    parts = list(_bisect(unpacked(task.given), rules, explain=explain))
    results = pl.concat([part.results for part, _ in parts])
    rows_before, faults = 0, []
    for part, _ in parts:
        faults.append(part.faults.with_columns((pl.col("row") + rows_before).cast(pl.UInt32)))
        rows_before += part.results.height
    merged = ScoredChunk(results, pl.concat(faults))
    state = SET_ASIDE if all(is_set_aside for _, is_set_aside in parts) else DONE
    return _build_outcome(task, merged, state)


def _score(chunk: Chunk, rules: ColumnRules, *, explain: bool) -> ScoredChunk:
    lines = chunk.lines
    return scored(
        chunk.frame,
        rules,
        explain=explain,
        faults=chunk.faults,
        lines=None if lines is None else lambda rows: [lines[row] for row in rows],
    )


def _bisect(
    chunk: Chunk, rules: ColumnRules, *, explain: bool
) -> Iterator[tuple[ScoredChunk, bool]]:
    """Yield the chunk in parts, each with whether it was set aside, down to the failing rows."""
    try:
        yield _score(chunk, rules, explain=explain), False
    except (Exception, PanicException) as error:  # noqa: BLE001 - any failure ends the last try
        rows = chunk.frame.height
        if rows <= 1:
            _log.warning("set_aside", rows=rows, error=type(error).__name__)
            yield _set_aside(chunk, rules, explain=explain), True
            return
        middle = rows // 2
        yield from _bisect(_slice(chunk, 0, middle), rules, explain=explain)
        yield from _bisect(_slice(chunk, middle, rows - middle), rules, explain=explain)


def _slice(chunk: Chunk, start: int, count: int) -> Chunk:
    row = pl.col("row")
    faults = chunk.faults.filter((row >= start) & (row < start + count))
    return Chunk(
        chunk.frame.slice(start, count),
        faults.with_columns((row - start).cast(pl.UInt32)),
        None if chunk.lines is None else chunk.lines[start : start + count],
    )


def _set_aside(chunk: Chunk, rules: ColumnRules, *, explain: bool) -> ScoredChunk:
    """Return results without a status; only the identifiers of the rows are read."""
    identifiers = pl.DataFrame([_identifier(chunk.frame, name) for name in PASSED_THROUGH])
    faults = all_faulty(chunk.frame.height, "set_aside", SET_ASIDE_TEXT)
    return _score(Chunk(identifiers, faults, chunk.lines), rules, explain=explain)


def _identifier(frame: pl.DataFrame, name: str) -> pl.Series:
    """Return an identifier column as text; nulls if it is missing or cannot be cast."""
    try:
        return frame[name].cast(pl.String)
    except (pl.exceptions.PolarsError, PanicException):
        return pl.Series(name, [None] * frame.height, pl.String)


def _set_aside_unread(rows: int, rules: ColumnRules, *, explain: bool) -> ScoredChunk:
    """Return results without a status or identifiers."""
    nulls = pl.Series([None] * rows, dtype=pl.String)
    blank = pl.DataFrame(dict.fromkeys(PASSED_THROUGH, nulls))
    faults = all_faulty(rows, "set_aside", SET_ASIDE_TEXT)
    return _score(Chunk(blank, faults, None), rules, explain=explain)


def _build_outcome(task: Taken, chunk: ScoredChunk, state: str) -> Outcome:
    note = {
        "by_status": chunk.count_values(STATUS),
        "by_band": chunk.count_values(BAND),
        "by_tier": chunk.count_values(TIER),
        "with_problems": chunk.results[PROBLEMS].is_not_null().sum(),
        "problems": _list_problems(task, chunk),
    }
    return Outcome(note, as_part(chunk.results), state)


def _list_problems(task: Taken, chunk: ScoredChunk) -> list[dict[str, Any]]:
    """Return the faults as they are stored, each with the `row_id` of its row."""
    row_ids, before = chunk.results[ROW_ID], task.rows_before
    return [
        BatchProblem(**dict(problem), row_id=row_ids[problem.row - before - 1]).model_dump(
            exclude_none=True
        )
        for problem in chunk.problems(rows_before=before)
    ]
