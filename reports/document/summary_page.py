"""The clinician's report: page one is the whole story, the pages after it are what it rests on."""

from typing import Any

from reports.blocks import Block, Document, Paragraph, Run, Section, paragraph
from reports.document.detail_pages import reckoning
from reports.phrases import Wording
from reports.svg import drawn
from reports.view.model import Reason, View
from reports.view.text_sanitiser import shortened

STRONGEST = 5
STRONGEST_OF_OTHER = 3
"""Of the side that weighs less; it stands second and takes less room."""
ASKED_FIRST = 6
IDENTIFIER = 60
ATTACHMENT = "assessment.json"


def story(view: View, words: Wording) -> Document:
    """The document of the view."""
    page_one = (
        *heading(view, words),
        safety(view, words),
        _result(view, words),
        *_mechanisms(view, words),
        *_reasons(view, words),
        *_open(view, words),
        *_next(view, words),
    )
    return Document(
        **framed(view, words),
        title=view.title,
        lead=words.say("lead"),
        what=words.say("foot", rulebook=view.rulebook, hash=view.sha256[:12]),
        blocks=(*page_one, *reckoning(view, words)),
        attached=view.assessment_json,
        attached_as=words.say("attached_as"),
    )


def framed(view: View, words: Wording) -> dict[str, Any]:
    """What frames the pages of either document."""
    return {
        "language": view.language,
        "description": words.say("not_a_diagnosis"),
        "letters": view.letters,
        "who": who(view),
        "mark": mark(view, words),
        "page_of": tuple(words.say("page_of").split("#")),
        "made_at": f"{view.produced_iso}T00:00:00Z",
    }


def who(view: View) -> str:
    """The patient as named on every page."""
    rows = [f"{row.name} {shortened(row.text, IDENTIFIER)}" for row in view.identifiers]
    return " \N{MIDDLE DOT} ".join(rows)


def mark(view: View, words: Wording) -> str:
    """What every page must shout: that it is an error, or no patient."""
    if view.in_error is not None:
        return words.say("mark_in_error")
    return words.say("mark_test") if view.test else ""


def heading(view: View, words: Wording) -> tuple[Block, ...]:
    """Notices, whom it is about, who answered, and the note that came with it."""
    notices = tuple(paragraph("", "notice", strong=each) for each in view.notices)
    facts: list[Run] = []
    for row in (*view.identifiers, *view.facts):
        between = " \N{MIDDLE DOT} " if facts else ""
        facts += [Run(text=f"{between}{row.name} "), Run(text=row.text, strong=True)]
    note = (paragraph(view.note, "note", strong=words.say("note")),) if view.note else ()
    return (*notices, Paragraph(role="facts", runs=tuple(facts)), *note)


def safety(view: View, words: Wording) -> Section:
    """Red flags and what to do, before anything else."""
    title = words.say("safety_first")
    blocks: list[Block] = [
        paragraph(
            f"{words.say('think_of', suspect=each.suspect)}{cited(each.sources)} {each.action}",
            "flag",
            strong=f"{each.tier}: {each.label}.",
        )
        for each in view.flags
    ]
    if view.no_flag:
        blocks.append(paragraph(view.no_flag))
    if view.not_asked:
        asked = words.say("list_mark").join(view.not_asked)
        blocks.append(paragraph(f"{asked}.", strong=words.say("not_asked")))
    if view.no_longer:
        blocks.append(paragraph("", strong=view.no_longer))
    blocks += [paragraph(each) for each in view.acknowledged]
    tier = f": {words.lowered(view.tier)}" if view.tier else ""
    return Section(role="safety", heading=title + tier, blocks=tuple(blocks))


def cited(marks: str) -> str:
    """Numbers of sources as they stand in a sentence."""
    return f" [{marks}]" if marks else ""


def _result(view: View, words: Wording) -> Section:
    band = view.band or words.say(f"status_{view.status}")
    blocks: list[Block] = [paragraph("", "band", strong=band), paragraph(view.headline, "headline")]
    if view.held:
        blocks.append(paragraph("", strong=view.held))
    if view.scale:
        blocks.append(drawn("scale", view.scale, words))
        blocks.append(paragraph(words.say("scale_key"), "small"))
    blocks += [
        paragraph(f"{each.text} {each.sources}", "small", strong=each.name) for each in view.totals
    ]
    if view.scope_not_asked:
        asked = words.say("list_mark").join(view.scope_not_asked)
        blocks.append(paragraph(words.say("scope_not_asked", questions=asked), "small"))
    return Section(role="result", heading=words.say("result"), blocks=tuple(blocks))


def _mechanisms(view: View, words: Wording) -> tuple[Section, ...]:
    if view.ledgers is None:
        return ()
    picture = f": {words.lowered(view.picture)}" if view.picture else ""
    meaning = f"{view.picture_meaning} " if view.picture_meaning else ""
    text = meaning + words.say("never_one")
    blocks = (drawn("ledgers", view.ledgers, words), paragraph(text, "small"))
    return (Section(heading=words.say("mechanisms") + picture, blocks=blocks),)


def _reasons(view: View, words: Wording) -> tuple[Section, ...]:
    if not view.criteria:
        return ()
    sides = [("speaks_for", view.supporting), ("speaks_against", view.opposing)]
    if view.against_first:
        sides.reverse()
    sections = tuple(
        Section(heading=words.say(title), blocks=_strongest(reasons, most, words))
        for (title, reasons), most in zip(sides, (STRONGEST, STRONGEST_OF_OTHER), strict=True)
    )
    return (Section(role="columns", blocks=sections),)


def _strongest(reasons: tuple[Reason, ...], most: int, words: Wording) -> tuple[Block, ...]:
    if not reasons:
        return (paragraph(words.say("no_answer_does"), "reason"),)
    told: list[Block] = [
        paragraph(
            f"{each.because}{cited(each.sources)}", "reason", strong=each.id, aside=each.points
        )
        for each in reasons[:most]
    ]
    if len(reasons) > most:
        told.append(paragraph(words.say("and_more", number=str(len(reasons) - most)), "small"))
    return tuple(told)


def _open(view: View, words: Wording) -> tuple[Section, ...]:
    blocks: list[Block] = []
    if view.open:
        told = [
            f"{each.label} {each.swing}{words.say('needed') if each.required else ''}"
            for each in view.open
        ]
        blocks.append(paragraph("; ".join(told) + "."))
    if view.what_if:
        rests = "; ".join(f"{row.name} ({row.text})" for row in view.what_if)
        blocks.append(paragraph(f"{rests}.", strong=words.say("rests_on")))
    return (Section(heading=words.say("open"), blocks=tuple(blocks)),) if blocks else ()


def _next(view: View, words: Wording) -> tuple[Section, ...]:
    if not view.next_steps:
        return ()
    steps = tuple(paragraph(row.name, "step", aside="\N{BULLET}") for row in view.next_steps)
    note = paragraph(words.say("options_are"), "small")
    return (Section(role="options", heading=words.say("next"), blocks=(note, *steps)),)
