"""Scores a chunk: one row of results for each row that was sent, even if scoring it fails."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl
import structlog
from polars.exceptions import PanicException

from api.batch_scoring.chunk_scorer import ScoredChunk, score_frame
from api.batch_scoring.chunking import RowChunk, build_uniform_faults, compile_rules, unpack_chunk
from api.batch_scoring.cohort.cohort_counts import count_part
from api.batch_scoring.counts.part_counts import RowPlace, group_faults, list_notices
from api.batch_scoring.output.encoders import encode_ipc
from api.store.batches.chunks import CHUNK_DONE, SET_ASIDE, ChunkOutcome, ClaimedChunk
from schemas.batches.batch import (
    BAND_COLUMN,
    PASSTHROUGH_COLUMNS,
    PROBLEMS_COLUMN,
    ROW_ID,
    STATUS_COLUMN,
    TIER_COLUMN,
)
from schemas.batches.batch_job import BatchProblem
from schemas.patients.patient import find_latest_day
from scoring.catalogue import Catalogue
from scoring.columns import ColumnRules
from scoring.compiled_rulebook import LoadedRulebook

SET_ASIDE_TEXT = "could not be scored after several tries; the row was set aside"
_log = structlog.get_logger("nociscreen")


class ScoringOptions(NamedTuple):
    """The options of a batch: a sentence for each criterion, and columns to return."""

    explain: bool
    keep: tuple[str, ...]

    @classmethod
    def read(cls, options: dict[str, Any]) -> "ScoringOptions":
        """Return the options of a stored batch."""
        return cls(bool(options.get("explain")), tuple(options.get("keep", ())))


def find_rulebook(rulebooks: Catalogue, name: str) -> LoadedRulebook:
    """Return the rulebook `instrument@version` of a batch, even if it is retired by now."""
    return rulebooks.find_version(name)


def score_rows(rulebooks: Catalogue, task: ClaimedChunk, tries: int) -> ChunkOutcome:
    """Score a chunk. Raises if it fails and may be retried.

    At the last try only the rows that fail on their own are set aside; a chunk that ended its
    process at every try is set aside whole, unread. From the last try on, no content of the rows
    can make it raise: rows that cannot be set aside one by one lose their identifiers.
    """
    rules = compile_rules(find_rulebook(rulebooks, task.batch.rulebook))
    options = ScoringOptions.read(task.batch.options)
    if task.tries < tries:
        scored = _score(unpack_chunk(task.content), rules, options)
        return _build_outcome(task, scored, rules, CHUNK_DONE)
    try:
        if task.tries == tries:
            return _score_by_row(task, rules, options)
        skipped = _set_aside(unpack_chunk(task.content), rules, options)
    except (Exception, PanicException) as error:  # noqa: BLE001 - any failure ends the last try
        _log.warning("rows_set_aside", rows=task.rows, error=type(error).__name__)
        skipped = _set_aside_unread(task.rows, rules, options)
    return _build_outcome(task, skipped, rules, SET_ASIDE)


def _score_by_row(task: ClaimedChunk, rules: ColumnRules, options: ScoringOptions) -> ChunkOutcome:
    parts = list(_bisect(unpack_chunk(task.content), rules, options))
    results = pl.concat([part.results for part, _ in parts])
    rows_before, faults = 0, []
    for part, _ in parts:
        faults.append(part.faults.with_columns((pl.col("row") + rows_before).cast(pl.UInt32)))
        rows_before += part.results.height
    intakes, sent_rows = (
        pl.concat(frames, how="diagonal_relaxed")
        for frames in zip(*((part.intakes, part.sent_rows) for part, _ in parts), strict=True)
    )
    merged = ScoredChunk(results, pl.concat(faults), intakes, sent_rows)
    state = SET_ASIDE if all(is_set_aside for _, is_set_aside in parts) else CHUNK_DONE
    return _build_outcome(task, merged, rules, state)


def _score(chunk: RowChunk, rules: ColumnRules, options: ScoringOptions) -> ScoredChunk:
    lines = chunk.lines
    return score_frame(
        chunk.frame,
        rules,
        explain=options.explain,
        keep=options.keep,
        faults=chunk.faults,
        lines=None if lines is None else lambda rows: [lines[row] for row in rows],
    )


def _bisect(
    chunk: RowChunk, rules: ColumnRules, options: ScoringOptions
) -> Iterator[tuple[ScoredChunk, bool]]:
    """Yield the chunk in parts, each with whether it was set aside, down to the failing rows."""
    try:
        yield _score(chunk, rules, options), False
    except (Exception, PanicException) as error:  # noqa: BLE001 - any failure ends the last try
        rows = chunk.frame.height
        if rows <= 1:
            _log.warning("rows_set_aside", rows=rows, error=type(error).__name__)
            yield _set_aside(chunk, rules, options), True
            return
        middle = rows // 2
        yield from _bisect(chunk.slice(0, middle), rules, options)
        yield from _bisect(chunk.slice(middle, rows - middle), rules, options)


def _set_aside(chunk: RowChunk, rules: ColumnRules, options: ScoringOptions) -> ScoredChunk:
    """Return results without a status; only the identifiers of the rows are read."""
    identifiers = pl.DataFrame([_identifier(chunk.frame, name) for name in PASSTHROUGH_COLUMNS])
    faults = build_uniform_faults(chunk.frame.height, "set_aside", SET_ASIDE_TEXT)
    return _score(RowChunk(identifiers, faults, chunk.lines), rules, options)


def _identifier(frame: pl.DataFrame, name: str) -> pl.Series:
    """Return an identifier column as text; nulls if it is missing or cannot be cast."""
    try:
        return frame[name].cast(pl.String)
    except (pl.exceptions.PolarsError, PanicException):
        return pl.Series(name, [None] * frame.height, pl.String)


def _set_aside_unread(rows: int, rules: ColumnRules, options: ScoringOptions) -> ScoredChunk:
    """Return results without a status or identifiers."""
    nulls = pl.Series([None] * rows, dtype=pl.String)
    blank = pl.DataFrame(dict.fromkeys(PASSTHROUGH_COLUMNS, nulls))
    faults = build_uniform_faults(rows, "set_aside", SET_ASIDE_TEXT)
    return _score(RowChunk(blank, faults, None), rules, options)


def _build_outcome(
    task: ClaimedChunk, chunk: ScoredChunk, rules: ColumnRules, state: str
) -> ChunkOutcome:
    place, options = RowPlace(task.rows_before), ScoringOptions.read(task.batch.options)
    notices = list_notices(chunk, rules.loaded, place, find_latest_day())
    note = {
        "by_status": chunk.count_values(STATUS_COLUMN),
        "by_band": chunk.count_values(BAND_COLUMN),
        "by_tier": chunk.count_values(TIER_COLUMN),
        "with_problems": chunk.results[PROBLEMS_COLUMN].is_not_null().sum(),
        "problems": _list_problems(task, chunk),
        "faults": [group.model_dump() for group in group_faults(chunk, place)],
        "notices": [notice.model_dump() for notice in notices],
        "cohort": count_part(chunk.results, rules.loaded, options.keep),
    }
    return ChunkOutcome(note, encode_ipc(chunk.results), state)


def _list_problems(task: ClaimedChunk, chunk: ScoredChunk) -> list[dict[str, Any]]:
    """Return the faults as they are stored, each with the `row_id` of its row."""
    row_ids, before = chunk.results[ROW_ID], task.rows_before
    return [
        BatchProblem(**dict(problem), row_id=row_ids[problem.row - before - 1]).model_dump(
            exclude_none=True
        )
        for problem in chunk.list_problems(rows_before=before)
    ]
