"""Build the clinician's report: the summary on page one, in the order a consultant reads it."""

from reports.blocks import (
    Block,
    Document,
    Paragraph,
    Section,
    Table,
    TableRow,
    TextRun,
    paragraph,
)
from reports.document.detail_pages import build_detail_pages, format_citations
from reports.document.page_frame import build_heading, build_page_frame
from reports.document.safety_sections import (
    build_contradictions,
    build_edition_mark,
    build_safety_section,
)
from reports.phrases import Phrases
from reports.svg import draw_chart
from reports.view.model import GradingLine, NextStepLine, Reason, ReportView

MAX_REASONS = 5
MAX_OTHER_REASONS = 3
"""Criteria of the side that weighs less; it comes second and gets less room."""


def build_report(view: ReportView, phrases: Phrases) -> Document:
    """Return the clinician's report."""
    page_one = (
        *build_heading(view, phrases),
        *build_edition_mark(view, phrases),
        build_safety_section(view, phrases),
        *build_contradictions(view, phrases),
        _build_result(view, phrases),
        *_build_gradings(view, phrases),
        Section(
            role="flow",
            blocks=(
                *_build_mechanisms(view, phrases),
                *_build_body_map(view, phrases),
                *_build_reasons(view, phrases),
                *_build_first_questions(view, phrases),
                *_build_alternatives(view, phrases),
                *_build_next_steps(view, phrases),
            ),
        ),
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


def _build_result(view: ReportView, phrases: Phrases) -> Section:
    blocks: list[Block] = [paragraph("", "band", strong=view.result_title)]
    if view.possible_bands:
        blocks.append(paragraph("", "headline", strong=view.possible_bands))
    blocks.append(paragraph(view.headline, "headline"))
    if view.lower_band_reason:
        blocks.append(paragraph("", strong=view.lower_band_reason))
    if view.scale:
        blocks.append(draw_chart("scale", view.scale, phrases))
    blocks += [
        paragraph(f"{row.text} {row.sources}", "small", strong=row.name) for row in view.totals
    ]
    if view.further_scope_text:
        blocks.append(paragraph("", strong=view.further_scope_text))
    if view.unanswered_scope_questions:
        questions = phrases.say("list_mark").join(view.unanswered_scope_questions)
        blocks.append(paragraph(phrases.say("scope_not_asked", questions=questions), "small"))
    return Section(role="result", heading=phrases.say("result"), blocks=tuple(blocks))


def _build_gradings(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return each grading in one line, with the criteria that decide it as a table."""
    if not view.gradings:
        return ()
    rows: list[TableRow] = []
    for grading in view.gradings:
        name = f"{grading.name}{format_citations(grading.sources)}"
        rows.append(TableRow(cells=(name, grading.grade), is_subheading=True))
        rows += _list_deciding_rows(grading, phrases)
    table = Table(
        role="gradings",
        caption=phrases.say(
            "graded_out_of_scope" if view.status == "out_of_scope" else "gradings_caption"
        ),
        columns=(phrases.say("column_criterion"), phrases.say("column_met")),
        rows=tuple(rows),
    )
    return (Section(role="gradings", blocks=(table,)),)


def _list_deciding_rows(grading: GradingLine, phrases: Phrases) -> list[TableRow]:
    """Return the criteria that are not met or not known; in one row that all are met."""
    rows = [TableRow(cells=(line.name, line.text)) for line in grading.lines if not line.is_met]
    if rows or not grading.lines:
        return rows
    count = str(len(grading.lines))
    return [TableRow(cells=(phrases.say("all_criteria", count=count), phrases.say("yes")))]


def _build_mechanisms(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if view.ledgers is None:
        return ()
    picture = f": {phrases.lower_initial(view.picture)}" if view.picture else ""
    meaning = f"{view.picture_meaning} " if view.picture_meaning else ""
    text = meaning + phrases.say("never_one")
    blocks = (draw_chart("ledgers", view.ledgers, phrases), paragraph(text, "small"))
    return (Section(heading=phrases.say("mechanisms") + picture, blocks=blocks),)


def _build_body_map(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if view.body is None:
        return ()
    blocks = (draw_chart("body", view.body, phrases), paragraph(view.body.alt_text, "small"))
    return (Section(role="where", heading=phrases.say("where"), blocks=blocks),)


def _build_reasons(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.criteria:
        return ()
    sides = [("speaks_for", view.supporting), ("speaks_against", view.opposing)]
    if view.shows_opposing_first:
        sides.reverse()
    return tuple(
        Section(heading=phrases.say(title), blocks=_list_strongest(reasons, limit, phrases))
        for (title, reasons), limit in zip(sides, (MAX_REASONS, MAX_OTHER_REASONS), strict=True)
    )


def _list_strongest(reasons: tuple[Reason, ...], limit: int, phrases: Phrases) -> tuple[Block, ...]:
    if not reasons:
        return (paragraph(phrases.say("no_answer_does"), "reason"),)
    blocks: list[Block] = [
        paragraph(_describe_reason(reason), "reason", strong=reason.id, aside=reason.points)
        for reason in reasons[:limit]
    ]
    if len(reasons) > limit:
        blocks.append(paragraph(phrases.say("and_more", number=str(len(reasons) - limit)), "small"))
    return tuple(blocks)


def _describe_reason(reason: Reason) -> str:
    """Return the finding; the full scoring says why it counts for less."""
    return (
        f"{reason.finding} ({reason.discount_note})."
        if reason.discount_note
        else f"{reason.finding}."
    )


def _build_first_questions(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return what to ask first, and apart from it what safety needs, without a number."""
    blocks: list[Block] = [
        paragraph(f"{question.name} ({question.text})", "step", aside="\N{BULLET}")
        for question in view.ask_first
    ]
    if view.needed_for_safety:
        questions = phrases.say("list_mark").join(view.needed_for_safety)
        blocks.append(paragraph(f"{questions}.", strong=phrases.say("also_needed")))
    if view.other_open_count:
        phrase = "more_open" if view.ask_first else "some_open"
        blocks.append(paragraph(phrases.say(phrase, number=str(view.other_open_count)), "small"))
    if view.what_if:
        decisive = "; ".join(f"{row.name} ({row.text})" for row in view.what_if)
        blocks.append(paragraph(f"{decisive}.", strong=phrases.say("rests_on")))
    return (
        (Section(heading=_name_questions(view, phrases), blocks=tuple(blocks)),) if blocks else ()
    )


def _name_questions(view: ReportView, phrases: Phrases) -> str:
    match len(view.ask_first):
        case 0:
            return phrases.say("open_at_all" if view.open_questions else "decisive")
        case 3:
            return phrases.say("ask_three")
    return phrases.say("ask_first")


def _build_alternatives(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    blocks = [
        paragraph(
            phrases.say("alternative", signs=alternative.signs, settle=alternative.settle)
            + format_citations(alternative.sources),
            "run",
            strong=f"{alternative.label}.",
        )
        for alternative in view.alternatives
    ]
    if view.no_alternatives_text:
        blocks.append(paragraph(view.no_alternatives_text, "run"))
    return (Section(heading=phrases.say("alternatives"), blocks=tuple(blocks)),) if blocks else ()


def _build_next_steps(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    """Return the options by their rungs, with how certain each is and what to mind."""
    if not view.next_steps:
        return ()
    blocks: list[Block] = [paragraph(phrases.say("options_are"), "small")]
    rung = ""
    for step in view.next_steps:
        if step.rung != rung:
            rung = step.rung
            blocks.append(paragraph("", "rung", strong=rung))
        blocks += _list_step(step, phrases)
    return (Section(role="options", heading=phrases.say("next"), blocks=tuple(blocks)),)


def _list_step(step: NextStepLine, phrases: Phrases) -> list[Block]:
    name, colon, detail = step.name.partition(": ")
    certainty = f"{step.text}{format_citations(step.sources)}"
    runs = (
        TextRun(text=f"{name}{colon.rstrip()} ", strong=True),
        TextRun(text=f"{detail} {certainty}".lstrip()),
    )
    cautions = (
        paragraph(caution, "caution", strong=phrases.say("caution")) for caution in step.cautions
    )
    return [Paragraph(role="step", margin_text="\N{BULLET}", runs=runs), *cautions]
