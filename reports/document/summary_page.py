"""Build the clinician's report: page one is a summary, the detail pages follow."""

from typing import Any

from reports.blocks import Block, Document, Paragraph, Section, TextRun, paragraph
from reports.document.detail_pages import build_detail_pages, format_citations
from reports.phrases import Phrases
from reports.svg import draw_chart
from reports.view.model import Reason, ReportView
from reports.view.text_sanitiser import truncate

MAX_REASONS = 5
MAX_OTHER_REASONS = 3
"""Criteria of the side that weighs less; it comes second and gets less room."""
MAX_IDENTIFIER_LENGTH = 60


def build_report(view: ReportView, phrases: Phrases) -> Document:
    """Return the clinician's report."""
    page_one = (
        *build_heading(view, phrases),
        build_safety_section(view, phrases),
        _build_result(view, phrases),
        *_build_mechanisms(view, phrases),
        *_build_reasons(view, phrases),
        *_build_open_questions(view, phrases),
        *_build_next_steps(view, phrases),
    )
    return Document(
        **build_page_frame(view, phrases),
        title=view.title,
        lead=phrases.say("lead"),
        rulebook_line=phrases.say("foot", rulebook=view.rulebook, hash=view.rulebook_sha256[:12]),
        blocks=(*page_one, *build_detail_pages(view, phrases)),
        attachment=view.assessment_json,
        attachment_description=phrases.say("attached_as"),
    )


def build_page_frame(view: ReportView, phrases: Phrases) -> dict[str, Any]:
    """Return the fields of `Document` that the report and the patient sheet share."""
    return {
        "language": view.language,
        "description": phrases.say("not_a_diagnosis"),
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


def build_safety_section(view: ReportView, phrases: Phrases) -> Section:
    """Return the red flags and their actions."""
    title = phrases.say("safety_first")
    blocks: list[Block] = [
        paragraph(
            phrases.say("think_of", suspect=flag.suspect)
            + f"{format_citations(flag.sources)} {flag.action}",
            "flag",
            strong=f"{flag.tier}: {flag.label}.",
        )
        for flag in view.flags
    ]
    if view.no_flag_text:
        blocks.append(paragraph(view.no_flag_text))
    if view.unanswered_safety_questions:
        questions = phrases.say("list_mark").join(view.unanswered_safety_questions)
        blocks.append(paragraph(f"{questions}.", strong=phrases.say("not_asked")))
    if view.withdrawn_flags_text:
        blocks.append(paragraph("", strong=view.withdrawn_flags_text))
    blocks += [paragraph(text) for text in view.acknowledgements]
    tier = f": {phrases.lower_initial(view.tier)}" if view.tier else ""
    return Section(role="safety", heading=title + tier, blocks=tuple(blocks))


def _build_result(view: ReportView, phrases: Phrases) -> Section:
    band = view.band or phrases.say(f"status_{view.status}")
    blocks: list[Block] = [paragraph("", "band", strong=band), paragraph(view.headline, "headline")]
    if view.lower_band_reason:
        blocks.append(paragraph("", strong=view.lower_band_reason))
    if view.scale:
        blocks.append(draw_chart("scale", view.scale, phrases))
        blocks.append(paragraph(phrases.say("scale_key"), "small"))
    blocks += [
        paragraph(f"{row.text} {row.sources}", "small", strong=row.name) for row in view.totals
    ]
    if view.unanswered_scope_questions:
        questions = phrases.say("list_mark").join(view.unanswered_scope_questions)
        blocks.append(paragraph(phrases.say("scope_not_asked", questions=questions), "small"))
    return Section(role="result", heading=phrases.say("result"), blocks=tuple(blocks))


def _build_mechanisms(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if view.ledgers is None:
        return ()
    picture = f": {phrases.lower_initial(view.picture)}" if view.picture else ""
    meaning = f"{view.picture_meaning} " if view.picture_meaning else ""
    text = meaning + phrases.say("never_one")
    blocks = (draw_chart("ledgers", view.ledgers, phrases), paragraph(text, "small"))
    return (Section(heading=phrases.say("mechanisms") + picture, blocks=blocks),)


def _build_reasons(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.criteria:
        return ()
    sides = [("speaks_for", view.supporting), ("speaks_against", view.opposing)]
    if view.shows_opposing_first:
        sides.reverse()
    sections = tuple(
        Section(heading=phrases.say(title), blocks=_list_strongest(reasons, limit, phrases))
        for (title, reasons), limit in zip(sides, (MAX_REASONS, MAX_OTHER_REASONS), strict=True)
    )
    return (Section(role="columns", blocks=sections),)


def _list_strongest(reasons: tuple[Reason, ...], limit: int, phrases: Phrases) -> tuple[Block, ...]:
    if not reasons:
        return (paragraph(phrases.say("no_answer_does"), "reason"),)
    blocks: list[Block] = [
        paragraph(
            f"{reason.because}{format_citations(reason.sources)}",
            "reason",
            strong=reason.id,
            aside=reason.points,
        )
        for reason in reasons[:limit]
    ]
    if len(reasons) > limit:
        blocks.append(paragraph(phrases.say("and_more", number=str(len(reasons) - limit)), "small"))
    return tuple(blocks)


def _build_open_questions(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    blocks: list[Block] = []
    if view.open_questions:
        questions = (
            f"{question.label} {question.swing}"
            + (phrases.say("needed") if question.is_required else "")
            for question in view.open_questions
        )
        blocks.append(paragraph("; ".join(questions) + "."))
    if view.what_if:
        decisive = "; ".join(f"{row.name} ({row.text})" for row in view.what_if)
        blocks.append(paragraph(f"{decisive}.", strong=phrases.say("rests_on")))
    return (Section(heading=phrases.say("open"), blocks=tuple(blocks)),) if blocks else ()


def _build_next_steps(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.next_steps:
        return ()
    steps = tuple(paragraph(step.name, "step", aside="\N{BULLET}") for step in view.next_steps)
    note = paragraph(phrases.say("options_are"), "small")
    return (Section(role="options", heading=phrases.say("next"), blocks=(note, *steps)),)
