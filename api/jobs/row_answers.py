"""Reads the answered rows of a chunk: the number, validated answers and patient of each row."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel

from api.batch_scoring.chunking import unpack_chunk
from api.batch_scoring.readers.answers import restore_answers
from api.store.batches.chunks import ClaimedChunk
from schemas.batches.batch import PATIENT_REFERENCE
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
        answers = restore_answers(loaded, row, cells)
        reference = row.get(PATIENT_REFERENCE) or None
        yield RowAnswers(number, model.model_validate(answers), reference)
