"""Scoring a chunk: rows as they were sent in, one row of results a row out, whatever happens."""

from typing import Any

import polars as pl
import structlog

from api.batch.chunks import ScoredChunk, scored
from api.batch.incoming import Chunk, all_faulty, rules_of, unpacked
from api.batch.written import as_part
from api.store.batch_chunks import DONE, SET_ASIDE, Outcome, Taken
from schemas.batch import BAND, PASSED_THROUGH, PROBLEMS, STATUS, TIER
from scoring.catalogue import Catalogue
from scoring.columns import ColumnRules
from scoring.loaded import LoadedRulebook

SET_ASIDE_TEXT = "could not be scored, however often it was tried; it was set aside"
_log = structlog.get_logger("nociscreen")


def rulebook_of(rulebooks: Catalogue, name: str) -> LoadedRulebook:
    """The rulebook that a batch was begun with, whatever its status is now."""
    instrument, _, version = name.partition("@")
    return rulebooks.any_status(instrument, version)


def score(rulebooks: Catalogue, taken: Taken, tries: int) -> Outcome:
    """What comes of the chunk. Raises where it fails and may be tried again.

    At the last try, only the rows that fail by themselves are set aside; a chunk that ended its
    process at every try is set aside whole, untouched.
    """
    rules = rulebook_of(rulebooks, taken.batch.rulebook)
    compiled, explain = rules_of(rules), bool(taken.batch.options.get("explain"))
    if taken.tries > tries:
        return _outcome(taken, _aside(_passed(taken), compiled, explain=explain), SET_ASIDE)
    chunk = unpacked(taken.given)
    if taken.tries < tries:
        return _outcome(taken, _scored(chunk, compiled, explain=explain), DONE)
    parts = list(_halved(chunk, compiled, explain=explain))
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
    except Exception as error:  # noqa: BLE001 - whatever it was, it was tried often enough
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


def _passed(taken: Taken) -> Chunk:
    """The chunk with what its rows are known by, where that can still be read."""
    try:
        return unpacked(taken.given)
    except Exception:  # noqa: BLE001 - set aside without it
        blank = pl.DataFrame(
            {PASSED_THROUGH[0]: [None] * taken.rows}, {PASSED_THROUGH[0]: pl.String}
        )
        return Chunk(blank, all_faulty(0, "", ""), None)


def _aside(chunk: Chunk, rules: ColumnRules, *, explain: bool) -> ScoredChunk:
    """A row of results for each row, without a status; nothing that was answered is looked at."""
    known_by = [name for name in PASSED_THROUGH if name in chunk.frame.columns]
    blank = chunk.frame.select(
        pl.lit(None, pl.String).alias(PASSED_THROUGH[0])
        if not known_by
        else pl.col(known_by[0]).cast(pl.String),
        *(pl.col(name).cast(pl.String) for name in known_by[1:]),
    )
    if not known_by:
        blank = pl.DataFrame(
            {PASSED_THROUGH[0]: [None] * chunk.frame.height}, {PASSED_THROUGH[0]: pl.String}
        )
    faults = all_faulty(chunk.frame.height, "set_aside", SET_ASIDE_TEXT)
    return _scored(Chunk(blank, faults, chunk.lines), rules, explain=explain)


def _outcome(taken: Taken, done: ScoredChunk, state: str) -> Outcome:
    results = done.results
    note = {
        "by_status": _counts(results, STATUS),
        "by_band": _counts(results, BAND),
        "by_tier": _counts(results, TIER),
        "with_problems": results[PROBLEMS].is_not_null().sum(),
        "problems": [
            each.model_dump(exclude_none=True)
            for each in done.problems(rows_before=taken.rows_before)
        ],
    }
    return Outcome(note, as_part(results), state)


def _counts(results: pl.DataFrame, column: str) -> dict[str, int]:
    if column not in results.columns:
        return {}
    counted = results[column].drop_nulls().cast(pl.String).value_counts(sort=True)
    return dict(counted.iter_rows())
