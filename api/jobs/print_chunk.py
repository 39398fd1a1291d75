"""Prints the reports of a chunk: one report per row, named only by the number of the row."""

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
    """A report and its file name."""

    name: str
    content: bytes


def print_reports(
    rulebooks: Catalogue, layout: Layout, settings: Printed, task: Taken, tries: int
) -> Outcome:
    """Print the reports of a chunk. Raises if it fails and may be retried."""
    if task.tries > tries:
        return _build_outcome([], numbers_of(task), SET_ASIDE)
    loaded, options = rulebook_of(rulebooks, task.batch.rulebook), task.batch.options
    request = Chosen(options["format"], options["document"], options["locale"])
    reports: list[Report] = []
    failed: list[int] = []
    for row in answered_rows(task, loaded):
        try:
            answers = row.answers.model_dump(exclude_none=True)
            answered = Answered(answers, Patient(reference=row.reference))
            document = paper_of_answers(loaded, settings, layout, answered, request)
            reports.append(Report(f"report-{row.number:09d}{document.suffix}", document.content))
        except Exception as error:
            if is_passing(error) or task.tries < tries:
                raise
            failed.append(row.number)
    return _build_outcome(reports, failed, DONE if reports else SET_ASIDE)


def is_passing(error: Exception) -> bool:
    """Whether the error is caused by load, not by the row."""
    return isinstance(error, Problem) and error.code in ("too_many", "unavailable")


def reports_in(content: bytes) -> Iterator[Report]:
    """Yield the reports of a stored chunk."""
    position = 0
    while position < len(content):
        name, position = _read_part(content, position)
        report, position = _read_part(content, position)
        yield Report(name.decode("ascii"), report)


def _build_outcome(reports: list[Report], failed: list[int], state: str) -> Outcome:
    content = b"".join(
        _LENGTH.pack(len(part)) + part
        for report in reports
        for part in (report.name.encode("ascii"), report.content)
    )
    problems = [{"row": row, "code": "set_aside", "expected": _FAILED} for row in failed]
    note = {"made": len(reports), "failed": failed, "problems": problems}
    return Outcome(note, content, state)


def _read_part(content: bytes, position: int) -> tuple[bytes, int]:
    (length,) = _LENGTH.unpack_from(content, position)
    start = position + _LENGTH.size
    return content[start : start + length], start + length
