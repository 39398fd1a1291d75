"""Build the patient's sheets that tell what was answered: out of scope, plain, not finished."""

from reports.blocks import Block, Section, paragraph
from reports.document.sheet_parts import (
    build_list,
    build_safety,
    build_section,
    build_talking_points,
)
from reports.phrases import Phrases
from reports.view.model import ReportView

MAX_OPEN_QUESTIONS = 12
"""Open questions on a sheet; the clinician's report has all of them."""


def build_out_of_scope(view: ReportView, phrases: Phrases) -> tuple[Block, ...]:
    """Return what was answered, and that the screen was not made for it."""
    meaning = Section(
        heading=phrases.say("sheet_means"),
        blocks=(
            paragraph(phrases.say("sheet_status_out_of_scope")),
            paragraph(f"{'; '.join(view.scope_reasons)}.", strong=phrases.say("sheet_reasons")),
        ),
    )
    return (build_safety(view, phrases), meaning, *_end_with_answers(view, phrases))


def build_plain(view: ReportView, phrases: Phrases) -> tuple[Block, ...]:
    """Return what comes first instead, the answers, and questions to bring."""
    return (
        build_safety(view, phrases),
        build_section(phrases, "sheet_means", view.sheet.plain_phrase),
        _build_pain_is_real(phrases),
        build_talking_points(view, phrases),
        *_build_answers(view, phrases),
    )


def build_unfinished(view: ReportView, phrases: Phrases) -> tuple[Block, ...]:
    """Return what was answered, and the open questions that a patient can answer."""
    questions = view.sheet.open_questions
    meaning = build_section(phrases, "sheet_means", "sheet_status_insufficient_information")
    still_open = (
        (build_list(phrases, "sheet_open", questions[:MAX_OPEN_QUESTIONS]),) if questions else ()
    )
    return (build_safety(view, phrases), meaning, *still_open, *_end_with_answers(view, phrases))


def _end_with_answers(view: ReportView, phrases: Phrases) -> tuple[Block, ...]:
    return (
        *_build_answers(view, phrases),
        _build_pain_is_real(phrases),
        paragraph("", strong=phrases.say("sheet_keep")),
    )


def _build_answers(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    sheet = view.sheet
    blocks = [paragraph(f"{row.name}.", "run", strong=row.text) for row in sheet.answers]
    if sheet.denied_count:
        blocks.append(paragraph(phrases.say("sheet_denied", number=str(sheet.denied_count)), "run"))
    return (Section(heading=phrases.say("sheet_answers"), blocks=tuple(blocks)),) if blocks else ()


def _build_pain_is_real(phrases: Phrases) -> Section:
    return build_section(phrases, "sheet_real", "sheet_real_1")
