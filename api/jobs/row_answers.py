"""Reads the answered rows of a chunk: the number, validated answers and patient of each row."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel

from api.batch_scoring.chunking import unpack_chunk
from api.store.batches.chunks import ClaimedChunk
from schemas.batches.batch import LIST_SEPARATOR, PATIENT_REFERENCE
from scoring.answer_model import find_answer_model
from scoring.columns.reading.parsing import parse_intakes
from scoring.compiled_rulebook import LoadedRulebook


class RowAnswers(NamedTuple):
    """One row of a batch. `reference` is the patient's as it was sent, or None."""

    number: int
    answers: BaseModel
    reference: str | None


def read_row_numbers(task: ClaimedChunk) -> list[int]:
    """Return the numbers of the rows in their batch, from 1."""
    rows: list[int] = json.loads(task.content.parts[2])
    return rows


def read_answered_rows(task: ClaimedChunk, loaded: LoadedRulebook) -> Iterator[RowAnswers]:
    """Yield the rows with answers as a single intake has them, options in the order sent."""
    chunk = unpack_chunk(task.content)
    intakes = parse_intakes(chunk.frame, loaded, chunk.faults).intakes
    model = find_answer_model(loaded)
    rows = zip(
        read_row_numbers(task),
        intakes.iter_rows(named=True),
        chunk.frame.iter_rows(named=True),
        strict=True,
    )
    for number, row, cells in rows:
        answers = {
            name: _restore_answer(loaded, name, row[name], cells[name])
            for name in loaded.questions
            if row.get(name) is not None
        }
        reference = row.get(PATIENT_REFERENCE) or None
        yield RowAnswers(number, model.model_validate(answers), reference)


def _restore_answer(loaded: LoadedRulebook, name: str, value: Any, cell: Any) -> Any:
    question = loaded.questions[name]
    if question.kind != "multi":
        return value
    if isinstance(value, int):
        value = [option.id for bit, option in enumerate(question.options) if value >> bit & 1]
    words = cell.split(LIST_SEPARATOR) if isinstance(cell, str) else cell
    places = {word.strip(): place for place, word in enumerate(words)}
    return sorted(value, key=lambda option: places.get(option, 0))  # stored in the order sent
