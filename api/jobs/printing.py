"""Printing a chunk: answered rows in, one report a row out, named by the row's number alone."""

import json
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from api.batch.incoming import unpacked
from api.choosing import Chosen
from api.jobs.scoring import rulebook_of
from api.papers import Answered, Printed, paper_of_answers
from api.problems import Problem
from api.rendering import Layout
from api.store.batch_chunks import DONE, SET_ASIDE, Outcome, Taken
from schemas.batch import PATIENT_REFERENCE
from schemas.patient import Patient
from scoring.answers import answer_model
from scoring.catalogue import Catalogue
from scoring.columns.reading import intakes_of
from scoring.loaded import LoadedRulebook

ROWS = 20
_LENGTH = struct.Struct("!Q")
_PASSING = frozenset({"too_many", "unavailable"})


class Report(NamedTuple):
    """A report, and how it is called."""

    name: str
    content: bytes


def print_reports(
    rulebooks: Catalogue, layout: Layout, printed: Printed, taken: Taken, tries: int
) -> Outcome:
    """The reports of a chunk. Raises where it fails and may be tried again."""
    rows: list[int] = json.loads(taken.given.parts[2])
    if taken.tries > tries:
        return _outcome([], rows, SET_ASIDE)
    loaded, options = rulebook_of(rulebooks, taken.batch.rulebook), taken.batch.options
    chosen = Chosen(options["format"], options["document"], options["locale"])
    made: list[Report] = []
    failed: list[int] = []
    for row, answered in zip(rows, _intakes(taken, loaded), strict=True):
        try:
            patient = Patient(reference=answered.pop(PATIENT_REFERENCE, None) or None)
            written = paper_of_answers(loaded, printed, layout, Answered(answered, patient), chosen)
            made.append(Report(f"report-{row:09d}{written.suffix}", written.content))
        except Exception as error:
            passing = isinstance(error, Problem) and error.code in _PASSING
            if passing or taken.tries < tries:
                raise
            failed.append(row)
    return _outcome(made, failed, DONE if made else SET_ASIDE)


def reports_in(content: bytes) -> Iterator[Report]:
    """The reports of a chunk, as they were made."""
    place = 0
    while place < len(content):
        name, place = _part(content, place)
        report, place = _part(content, place)
        yield Report(name.decode("ascii"), report)


def _outcome(made: list[Report], failed: list[int], state: str) -> Outcome:
    content = b"".join(
        _LENGTH.pack(len(part)) + part
        for each in made
        for part in (each.name.encode("ascii"), each.content)
    )
    return Outcome({"made": len(made), "failed": failed}, content, state)


def _part(content: bytes, place: int) -> tuple[bytes, int]:
    (length,) = _LENGTH.unpack_from(content, place)
    start = place + _LENGTH.size
    return content[start : start + length], start + length


def _intakes(taken: Taken, loaded: LoadedRulebook) -> Iterator[dict[str, Any]]:
    """The answers of each row, as the engine for one intake takes them."""
    chunk = unpacked(taken.given)
    read = intakes_of(chunk.frame, loaded, chunk.faults).intakes
    model = answer_model(loaded.rulebook)
    for row in read.iter_rows(named=True):
        given = {
            name: _answer(loaded, name, row[name])
            for name in loaded.questions
            if row.get(name) is not None
        }
        answers = model.model_validate(given).model_dump(exclude_none=True)
        yield answers | {PATIENT_REFERENCE: row.get(PATIENT_REFERENCE)}


def _answer(loaded: LoadedRulebook, name: str, value: Any) -> Any:
    question = loaded.questions[name]
    if question.kind != "multi":
        return value
    if isinstance(value, int):
        return [each.id for place, each in enumerate(question.options) if value >> place & 1]
    return list(value)
