"""Scoring a chunk: rows as they were sent in, one row of results a row out, whatever happens."""

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
    """The rulebook that a batch was begun with, whatever its status is now."""
    instrument, _, version = name.partition("@")
    return rulebooks.any_status(instrument, version)


def score(rulebooks: Catalogue, taken: Taken, tries: int) -> Outcome:
    """What comes of the chunk. Raises where it fails and may be tried again.

    At the last try, only the rows that fail by themselves are set aside; a chunk that ended its
    process at every try is set aside whole, untouched. From then on nothing that stands in the
    rows can make it raise: what cannot even be set aside by row goes without what it is known by.
    """
    rules = rulebook_of(rulebooks, taken.batch.rulebook)
    compiled, explain = rules_of(rules), bool(taken.batch.options.get("explain"))
    if taken.tries < tries:
        return _outcome(taken, _scored(unpacked(taken.given), compiled, explain=explain), DONE)
    try:
        if taken.tries == tries:
            return _row_by_row(taken, compiled, explain=explain)
        return _outcome(taken, _aside(unpacked(taken.given), compiled, explain=explain), SET_ASIDE)
    except (Exception, PanicException) as error:  # noqa: BLE001 - whatever it was, it was tried
        _log.warning("set_aside", rows=taken.rows, error=type(error).__name__)
        return _outcome(taken, _unknown(taken.rows, compiled, explain=explain), SET_ASIDE)


def _row_by_row(taken: Taken, rules: ColumnRules, *, explain: bool) -> Outcome:
    parts = list(_halved(unpacked(taken.given), rules, explain=explain))
    results = pl.concat([each.results for each, _ in parts])
    before, faults = 0, []
    for each, _ in parts:
        faults.append(each.faults.with_columns((pl.col("row") + before).cast(pl.UInt32)))
        before += each.results.height
    whole = ScoredChunk(results, pl.concat(faults))
    all_aside = all(aside for _, aside in parts)
    return _outcome(taken, whole, SET_ASIDE if all_aside else DONE)


def _scored(chunk: Chunk, rules: ColumnRules, *, explain: bool) -> ScoredChunk:
    lines = chunk.lines
    return scored(
        chunk.frame,
        rules,
        explain=explain,
        faults=chunk.faults,
        lines=None if lines is None else lambda rows: [lines[row] for row in rows],
    )


def _halved(chunk: Chunk, rules: ColumnRules, *, explain: bool) -> Any:
    """The chunk in parts, each with whether it was set aside: down to the rows that fail."""
    try:
        yield _scored(chunk, rules, explain=explain), False
    except (Exception, PanicException) as error:  # noqa: BLE001 - whatever it was, it was tried
        rows = chunk.frame.height
        if rows <= 1:
            _log.warning("set_aside", rows=rows, error=type(error).__name__)
            yield _aside(chunk, rules, explain=explain), True
            return
        middle = rows // 2
        yield from _halved(_part(chunk, 0, middle), rules, explain=explain)
        yield from _halved(_part(chunk, middle, rows - middle), rules, explain=explain)


def _part(chunk: Chunk, start: int, count: int) -> Chunk:
    row = pl.col("row")
    faults = chunk.faults.filter((row >= start) & (row < start + count))
    return Chunk(
        chunk.frame.slice(start, count),
        faults.with_columns((row - start).cast(pl.UInt32)),
        None if chunk.lines is None else chunk.lines[start : start + count],
    )


def _aside(chunk: Chunk, rules: ColumnRules, *, explain: bool) -> ScoredChunk:
    """A row of results for each row, without a status; nothing that was answered is looked at."""
    known_by = pl.DataFrame([_text(chunk.frame, name) for name in PASSED_THROUGH])
    faults = all_faulty(chunk.frame.height, "set_aside", SET_ASIDE_TEXT)
    return _scored(Chunk(known_by, faults, chunk.lines), rules, explain=explain)


def _text(frame: pl.DataFrame, name: str) -> pl.Series:
    """What the rows are known by; nothing where there is none, or none that can be written."""
    try:
        return frame[name].cast(pl.String)
    except (pl.exceptions.PolarsError, PanicException):
        return pl.Series(name, [None] * frame.height, pl.String)


def _unknown(rows: int, rules: ColumnRules, *, explain: bool) -> ScoredChunk:
    """A row of results for each row, that tells no more than that it was set aside."""
    nothing = pl.Series([None] * rows, dtype=pl.String)
    blank = pl.DataFrame(dict.fromkeys(PASSED_THROUGH, nothing))
    faults = all_faulty(rows, "set_aside", SET_ASIDE_TEXT)
    return _scored(Chunk(blank, faults, None), rules, explain=explain)


def _outcome(taken: Taken, done: ScoredChunk, state: str) -> Outcome:
    results = done.results
    note = {
        "by_status": _counts(results, STATUS),
        "by_band": _counts(results, BAND),
        "by_tier": _counts(results, TIER),
        "with_problems": results[PROBLEMS].is_not_null().sum(),
        "problems": _told(taken, done),
    }
    return Outcome(note, as_part(results), state)


def _told(taken: Taken, done: ScoredChunk) -> list[dict[str, Any]]:
    """The faults as they are kept, with what their rows are known by."""
    known_by, before = done.results[ROW_ID], taken.rows_before
    return [
        BatchProblem(**dict(each), row_id=known_by[each.row - before - 1]).model_dump(
            exclude_none=True
        )
        for each in done.problems(rows_before=before)
    ]


def _counts(results: pl.DataFrame, column: str) -> dict[str, int]:
    if column not in results.columns:
        return {}
    counted = results[column].drop_nulls().cast(pl.String).value_counts(sort=True)
    return dict(counted.iter_rows())
