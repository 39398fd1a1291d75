"""Answered rows of a chunk: each with its number, its checked answers, and whose they are."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel

from api.batch_scoring.chunking import unpacked
from api.store.batches.chunks import Taken
from schemas.batch import JOINED_BY, PATIENT_REFERENCE
from scoring.answer_model import answer_model
from scoring.columns.parsing import intakes_of
from scoring.compiled_rulebook import LoadedRulebook


class AnsweredRow(NamedTuple):
    """One row of a batch. `reference` is as it was sent, None where there is none."""

    number: int
    answers: BaseModel
    reference: str | None


def numbers_of(taken: Taken) -> list[int]:
    """The numbers of the rows in their batch, from 1."""
    rows: list[int] = json.loads(taken.given.parts[2])
    return rows


def answered_rows(taken: Taken, loaded: LoadedRulebook) -> Iterator[AnsweredRow]:
    """The answers of each row, as the engine for one intake takes them, options in their order."""
    chunk = unpacked(taken.given)
    read = intakes_of(chunk.frame, loaded, chunk.faults).intakes
    model = answer_model(loaded.rulebook)
    rows = zip(
        numbers_of(taken),
        read.iter_rows(named=True),
        chunk.frame.iter_rows(named=True),
        strict=True,
    )
    for number, row, sent in rows:
        given = {
            name: _answer(loaded, name, row[name], sent[name])
            for name in loaded.questions
            if row.get(name) is not None
        }
        reference = row.get(PATIENT_REFERENCE) or None
        yield AnsweredRow(number, model.model_validate(given), reference)


def _answer(loaded: LoadedRulebook, name: str, value: Any, sent: Any) -> Any:
    question = loaded.questions[name]
    if question.kind != "multi":
        return value
    if isinstance(value, int):
        value = [each.id for place, each in enumerate(question.options) if value >> place & 1]
    words = sent.split(JOINED_BY) if isinstance(sent, str) else sent
    places = {word.strip(): place for place, word in enumerate(words)}
    return sorted(value, key=lambda each: places.get(each, 0))  # as sent: kept answers stay so
