"""Build the clinician's report: page one is a summary, the detail pages follow."""

from typing import Any

from reports.blocks import Block, Document, Paragraph, Run, Section, paragraph
from reports.document.detail_pages import cited, reckoning
from reports.phrases import Wording
from reports.svg import drawn
from reports.view.model import Reason, View
from reports.view.text_sanitiser import shortened

STRONGEST = 5
STRONGEST_OF_OTHER = 3
"""Criteria of the side that weighs less; it comes second and gets less room."""
MAX_IDENTIFIER_LENGTH = 60


def story(view: View, wording: Wording) -> Document:
    """Return the clinician's report."""
    page_one = (
        *heading(view, wording),
        safety(view, wording),
        _result(view, wording),
        *_mechanisms(view, wording),
        *_reasons(view, wording),
        *_open_questions(view, wording),
        *_next_steps(view, wording),
    )
    return Document(
        **framed(view, wording),
        title=view.title,
        lead=wording.say("lead"),
        what=wording.say("foot", rulebook=view.rulebook, hash=view.sha256[:12]),
        blocks=(*page_one, *reckoning(view, wording)),
        attached=view.assessment_json,
        attached_as=wording.say("attached_as"),
    )


def framed(view: View, wording: Wording) -> dict[str, Any]:
    """Return the fields of `Document` that the report and the patient sheet share."""
    return {
        "language": view.language,
        "description": wording.say("not_a_diagnosis"),
        "letters": view.letters,
        "who": who(view),
        "mark": mark(view, wording),
        "page_of": tuple(wording.say("page_of").split("#")),
        "made_at": f"{view.produced_iso}T00:00:00Z",
    }


def who(view: View) -> str:
    """Return the identifiers of the patient for the top of every page."""
    identifiers = (
        f"{row.name} {shortened(row.text, MAX_IDENTIFIER_LENGTH)}" for row in view.identifiers
    )
    return " \N{MIDDLE DOT} ".join(identifiers)


def mark(view: View, wording: Wording) -> str:
    """Return the warning for every page: entered in error, or a test."""
    if view.in_error is not None:
        return wording.say("mark_in_error")
    return wording.say("mark_test") if view.test else ""


def heading(view: View, wording: Wording) -> tuple[Block, ...]:
    """Return the notices, the facts about patient and answers, and the clinical note."""
    notices = tuple(paragraph("", "notice", strong=notice) for notice in view.notices)
    facts: list[Run] = []
    for row in (*view.identifiers, *view.facts):
        separator = " \N{MIDDLE DOT} " if facts else ""
        facts += [Run(text=f"{separator}{row.name} "), Run(text=row.text, strong=True)]
    note = (paragraph(view.note, "note", strong=wording.say("note")),) if view.note else ()
    return (*notices, Paragraph(role="facts", runs=tuple(facts)), *note)


def safety(view: View, wording: Wording) -> Section:
    """Return the red flags and their actions."""
    title = wording.say("safety_first")
    blocks: list[Block] = [
        paragraph(
            f"{wording.say('think_of', suspect=flag.suspect)}{cited(flag.sources)} {flag.action}",
            "flag",
            strong=f"{flag.tier}: {flag.label}.",
        )
        for flag in view.flags
    ]
    if view.no_flag:
        blocks.append(paragraph(view.no_flag))
    if view.not_asked:
        questions = wording.say("list_mark").join(view.not_asked)
        blocks.append(paragraph(f"{questions}.", strong=wording.say("not_asked")))
    if view.no_longer:
        blocks.append(paragraph("", strong=view.no_longer))
    blocks += [paragraph(text) for text in view.acknowledged]
    tier = f": {wording.lowered(view.tier)}" if view.tier else ""
    return Section(role="safety", heading=title + tier, blocks=tuple(blocks))


def _result(view: View, wording: Wording) -> Section:
    band = view.band or wording.say(f"status_{view.status}")
    blocks: list[Block] = [paragraph("", "band", strong=band), paragraph(view.headline, "headline")]
    if view.held:
        blocks.append(paragraph("", strong=view.held))
    if view.scale:
        blocks.append(drawn("scale", view.scale, wording))
        blocks.append(paragraph(wording.say("scale_key"), "small"))
    blocks += [
        paragraph(f"{row.text} {row.sources}", "small", strong=row.name) for row in view.totals
    ]
    if view.scope_not_asked:
        questions = wording.say("list_mark").join(view.scope_not_asked)
        blocks.append(paragraph(wording.say("scope_not_asked", questions=questions), "small"))
    return Section(role="result", heading=wording.say("result"), blocks=tuple(blocks))


def _mechanisms(view: View, wording: Wording) -> tuple[Section, ...]:
    if view.ledgers is None:
        return ()
    picture = f": {wording.lowered(view.picture)}" if view.picture else ""
    meaning = f"{view.picture_meaning} " if view.picture_meaning else ""
    text = meaning + wording.say("never_one")
    blocks = (drawn("ledgers", view.ledgers, wording), paragraph(text, "small"))
    return (Section(heading=wording.say("mechanisms") + picture, blocks=blocks),)


def _reasons(view: View, wording: Wording) -> tuple[Section, ...]:
    if not view.criteria:
        return ()
    sides = [("speaks_for", view.supporting), ("speaks_against", view.opposing)]
    if view.against_first:
        sides.reverse()
    sections = tuple(
        Section(heading=wording.say(title), blocks=_list_strongest(reasons, limit, wording))
        for (title, reasons), limit in zip(sides, (STRONGEST, STRONGEST_OF_OTHER), strict=True)
    )
    return (Section(role="columns", blocks=sections),)


def _list_strongest(reasons: tuple[Reason, ...], limit: int, wording: Wording) -> tuple[Block, ...]:
    if not reasons:
        return (paragraph(wording.say("no_answer_does"), "reason"),)
    blocks: list[Block] = [
        paragraph(
            f"{reason.because}{cited(reason.sources)}",
            "reason",
            strong=reason.id,
            aside=reason.points,
        )
        for reason in reasons[:limit]
    ]
    if len(reasons) > limit:
        blocks.append(paragraph(wording.say("and_more", number=str(len(reasons) - limit)), "small"))
    return tuple(blocks)


def _open_questions(view: View, wording: Wording) -> tuple[Section, ...]:
    blocks: list[Block] = []
    if view.open:
        questions = (
            f"{question.label} {question.swing}{wording.say('needed') if question.required else ''}"
            for question in view.open
        )
        blocks.append(paragraph("; ".join(questions) + "."))
    if view.what_if:
        decisive = "; ".join(f"{row.name} ({row.text})" for row in view.what_if)
        blocks.append(paragraph(f"{decisive}.", strong=wording.say("rests_on")))
    return (Section(heading=wording.say("open"), blocks=tuple(blocks)),) if blocks else ()


def _next_steps(view: View, wording: Wording) -> tuple[Section, ...]:
    if not view.next_steps:
        return ()
    steps = tuple(paragraph(step.name, "step", aside="\N{BULLET}") for step in view.next_steps)
    note = paragraph(wording.say("options_are"), "small")
    return (Section(role="options", heading=wording.say("next"), blocks=(note, *steps)),)
