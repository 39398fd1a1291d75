"""Printing a chunk: answered rows in, one report a row out, named by the row's number alone."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from api.documents.document_builder import Answered, Printed, paper_of_answers
from api.documents.render_pool import Layout
from api.documents.request import Chosen
from api.jobs.row_answers import answered_rows, numbers_of
from api.jobs.score_chunk import rulebook_of
from api.problems import Problem
from api.store.batches.chunks import DONE, SET_ASIDE, Outcome, Taken
from schemas.patient import Patient
from scoring.catalogue import Catalogue

ROWS = 20
_FAILED = "could not be printed, however often it was tried; it was set aside"
_LENGTH = struct.Struct("!Q")


class Report(NamedTuple):
    """A report, and how it is called."""

    name: str
    content: bytes


def print_reports(
    rulebooks: Catalogue, layout: Layout, printed: Printed, taken: Taken, tries: int
) -> Outcome:
    """The reports of a chunk. Raises where it fails and may be tried again."""
    if taken.tries > tries:
        return _outcome([], numbers_of(taken), SET_ASIDE)
    loaded, options = rulebook_of(rulebooks, taken.batch.rulebook), taken.batch.options
    chosen = Chosen(options["format"], options["document"], options["locale"])
    made: list[Report] = []
    failed: list[int] = []
    for row in answered_rows(taken, loaded):
        try:
            answers = row.answers.model_dump(exclude_none=True)
            answered = Answered(answers, Patient(reference=row.reference))
            written = paper_of_answers(loaded, printed, layout, answered, chosen)
            made.append(Report(f"report-{row.number:09d}{written.suffix}", written.content))
        except Exception as error:
            if is_passing(error) or taken.tries < tries:
                raise
            failed.append(row.number)
    return _outcome(made, failed, DONE if made else SET_ASIDE)


def is_passing(error: Exception) -> bool:
    """Whether it is no fault of the row: there was no room for it just now."""
    return isinstance(error, Problem) and error.code in ("too_many", "unavailable")


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
    problems = [{"row": row, "code": "set_aside", "expected": _FAILED} for row in failed]
    note = {"made": len(made), "failed": failed, "problems": problems}
    return Outcome(note, content, state)


def _part(content: bytes, place: int) -> tuple[bytes, int]:
    (length,) = _LENGTH.unpack_from(content, place)
    start = place + _LENGTH.size
    return content[start : start + length], start + length
