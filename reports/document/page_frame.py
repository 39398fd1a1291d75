"""Build what every document has: identifiers and warnings of each page, and the heading."""

from typing import Any

from reports.blocks import Block, Paragraph, TextRun, paragraph
from reports.phrases import Phrases
from reports.view.model import ReportView
from reports.view.text_sanitiser import truncate

MAX_IDENTIFIER_LENGTH = 60


def build_page_frame(view: ReportView, phrases: Phrases) -> dict[str, Any]:
    """Return the fields of `Document` that the report and the patient sheet share."""
    return {
        "language": view.language,
        "description": phrases.say("not_a_diagnosis"),
        "is_restricted": view.is_confidential,
        "letterhead": view.letterhead,
        "patient_line": format_patient_line(view),
        "warning": format_warning(view, phrases),
        "page_number_texts": tuple(phrases.say("page_of").split("#")),
        "created_at": f"{view.produced_on_iso}T00:00:00Z",
    }


def format_patient_line(view: ReportView) -> str:
    """Return the identifiers of the patient for the top of every page."""
    identifiers = (
        f"{row.name} {truncate(row.text, MAX_IDENTIFIER_LENGTH)}" for row in view.identifiers
    )
    return " \N{MIDDLE DOT} ".join(identifiers)


def format_warning(view: ReportView, phrases: Phrases) -> str:
    """Return the warning for every page: entered in error, or a test."""
    if view.error_reason is not None:
        return phrases.say("mark_in_error")
    return phrases.say("mark_test") if view.is_test else ""


def build_heading(view: ReportView, phrases: Phrases) -> tuple[Block, ...]:
    """Return the notices, the facts about patient and answers, and the clinical note."""
    notices = tuple(paragraph("", "notice", strong=notice) for notice in view.notices)
    facts: list[TextRun] = []
    for row in (*view.identifiers, *view.facts):
        separator = " \N{MIDDLE DOT} " if facts else ""
        facts += [TextRun(text=f"{separator}{row.name} "), TextRun(text=row.text, strong=True)]
    note = (paragraph(view.note, "note", strong=phrases.say("note")),) if view.note else ()
    return (*notices, Paragraph(role="facts", runs=tuple(facts)), *note)
