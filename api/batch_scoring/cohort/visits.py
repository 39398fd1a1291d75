"""Reads the visits of people from scored rows: day, score, tier and band, by hashed person."""

import io
from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

from api.batch_scoring.chunk_scorer import ScoredChunk
from schemas.base import FrozenModel, Many, Name, Text
from schemas.batches.batch import (
    BAND_COLUMN,
    PATIENT_REFERENCE,
    STATUS_COLUMN,
    TIER_COLUMN,
)
from scoring.columns.output_columns import read_column_settings
from scoring.columns.reading.plausibility import parse_days
from scoring.compiled_rulebook import LoadedRulebook

PERSON, DAY, SUM = "person", "day", "sum"
_VISIT_COLUMNS = (DAY, SUM, TIER_COLUMN, BAND_COLUMN)


class ChangeRule(FrozenModel):
    """The score whose change is counted: a mean of answers, and the change in percent."""

    label: Text
    questions: Many[Name]
    maximum: int
    percent: int
    note: dict[Name, Text]


class Visits(NamedTuple):
    """The visits of people with several, in order, and how many people there are in all.

    `by_file` of a visit says that its person is ordered by the file.
    """

    people: int
    frame: pl.DataFrame


def find_change_rule(loaded: LoadedRulebook) -> ChangeRule | None:
    """Return the score to follow, if the instrument has one and the rulebook asks it."""
    settings = read_column_settings(loaded).get("change")
    rule = None if settings is None else ChangeRule.model_validate(settings)
    return rule if rule and loaded.questions.keys() >= {*rule.questions} else None


def encode_visits(chunk: ScoredChunk, loaded: LoadedRulebook) -> bytes:
    """Return the visits of a part, one for each row with a person and a result; may be empty."""
    people, results = chunk.results[PATIENT_REFERENCE], chunk.results
    is_visit = (people.fill_null("") != "") & results[STATUS_COLUMN].is_not_null()
    if not is_visit.any():
        return b""
    no_band = pl.Series(BAND_COLUMN, [None] * results.height, pl.String)
    visits = pl.DataFrame(
        [
            people.hash().alias(PERSON),
            parse_days(chunk.sent_rows).alias(DAY),
            _sum_answers(chunk, loaded),
            results[TIER_COLUMN].cast(pl.String),
            results[BAND_COLUMN].cast(pl.String) if BAND_COLUMN in results else no_band,
        ]
    ).filter(is_visit)
    buffer = io.BytesIO()
    visits.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()


def collect_visits(parts: Sequence[Callable[[], bytes]]) -> Visits:
    """Return the visits of people with several; a repeated row of one day is one visit.

    Of all parts, only the hashes of people are in memory together.
    """
    hashes = [frame[PERSON] for frame in _read_parts(parts)]
    if not hashes:
        return Visits(0, pl.DataFrame())
    people = pl.concat(hashes)
    returning = people.filter(people.is_duplicated()).unique()
    frames = [
        frame.filter(pl.col(PERSON).is_in(returning.implode())) for frame in _read_parts(parts)
    ]
    rows = pl.concat(frames).with_row_index("place")
    is_repeated = rows.select(PERSON, *_VISIT_COLUMNS).is_duplicated() & rows[DAY].is_not_null()
    first = rows.filter(is_repeated).unique([PERSON, *_VISIT_COLUMNS], keep="first")
    visits = (
        pl.concat([rows.filter(~is_repeated), first])
        .with_columns(pl.col(DAY).is_null().any().over(PERSON).alias("by_file"))
        .with_columns(pl.when(~pl.col("by_file")).then(pl.col(DAY)).alias("order"))
        .sort(PERSON, "order", "place")
    )
    return Visits(people.n_unique(), visits.filter(pl.len().over(PERSON) > 1))


def _read_parts(parts: Sequence[Callable[[], bytes]]) -> list[pl.DataFrame]:
    return [pl.read_ipc(io.BytesIO(content)) for read in parts if (content := read())]


def _sum_answers(chunk: ScoredChunk, loaded: LoadedRulebook) -> pl.Series:
    """Return the sum of the answers of each row, null if one of them is missing."""
    rule, intakes = find_change_rule(loaded), chunk.intakes
    if rule is None or not {*rule.questions} <= {*intakes.columns}:
        return pl.Series(SUM, [None] * chunk.results.height, pl.Int32)
    answers = [pl.col(name).cast(pl.Int32) for name in rule.questions]
    return intakes.select(sum(answers[1:], start=answers[0]).alias(SUM)).to_series()
