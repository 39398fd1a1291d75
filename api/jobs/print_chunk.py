"""Prints the reports of a chunk: one report per row, named only by the number of the row.

The rows of a chunk are printed by all render processes at once.
"""

import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from api.auth.services import PdfRenderer
from api.documents.document_builder import PatientAnswers, PrintSettings, render_answers
from api.documents.request import DocumentRequest
from api.jobs.row_answers import RowAnswers, read_answered_rows, read_row_numbers
from api.jobs.score_chunk import find_rulebook
from api.problems import TooManyRequestsProblem
from api.store.batches.chunks import CHUNK_DONE, SET_ASIDE, ChunkOutcome, ClaimedChunk
from api.store.errors import UnavailableError
from schemas.patients.patient import Patient
from scoring.catalogue import Catalogue

ROWS_PER_CHUNK = 20
_FAILED = "could not be printed after several tries; the row was set aside"
_LENGTH = struct.Struct("!Q")


class PrintedReport(NamedTuple):
    """A report and its file name."""

    name: str
    content: bytes


def print_reports(
    rulebooks: Catalogue,
    layout: PdfRenderer,
    settings: PrintSettings,
    task: ClaimedChunk,
    tries: int,
) -> ChunkOutcome:
    """Print the reports of a chunk. Raises if it fails and may be retried."""
    if task.tries > tries:
        return _build_outcome([], read_row_numbers(task), SET_ASIDE)
    loaded, options = find_rulebook(rulebooks, task.batch.rulebook), task.batch.options
    request = DocumentRequest(options["format"], options["document"], options["locale"])

    def print_row(row: RowAnswers) -> PrintedReport | int:
        """Return the report of a row, or its number if it cannot be printed."""
        try:
            answers = row.answers.model_dump(exclude_none=True)
            intake = PatientAnswers(answers, Patient(reference=row.reference))
            document = render_answers(loaded, settings, layout, intake, request)
        except Exception as error:
            if is_transient(error) or task.tries < tries:
                raise
            return row.number
        return PrintedReport(f"report-{row.number:09d}{document.suffix}", document.content)

    with ThreadPoolExecutor(layout.workers) as printers:
        rows = [*printers.map(print_row, read_answered_rows(task, loaded))]
    reports = [row for row in rows if isinstance(row, PrintedReport)]
    failed = [row for row in rows if isinstance(row, int)]
    return _build_outcome(reports, failed, CHUNK_DONE if reports else SET_ASIDE)


def is_transient(error: Exception) -> bool:
    """Whether the error is caused by load, not by the row."""
    return isinstance(error, TooManyRequestsProblem | UnavailableError)


def unpack_reports(content: bytes) -> Iterator[PrintedReport]:
    """Yield the reports of a stored chunk."""
    position = 0
    while position < len(content):
        name, position = _read_part(content, position)
        report, position = _read_part(content, position)
        yield PrintedReport(name.decode("ascii"), report)


def _build_outcome(reports: list[PrintedReport], failed: list[int], state: str) -> ChunkOutcome:
    content = b"".join(
        _LENGTH.pack(len(part)) + part
        for report in reports
        for part in (report.name.encode("ascii"), report.content)
    )
    problems = [{"row": row, "code": "set_aside", "expected": _FAILED} for row in failed]
    note = {"made": len(reports), "failed": failed, "problems": problems}
    return ChunkOutcome(note, content, state)


def _read_part(content: bytes, position: int) -> tuple[bytes, int]:
    (length,) = _LENGTH.unpack_from(content, position)
    start = position + _LENGTH.size
    return content[start : start + length], start + length
