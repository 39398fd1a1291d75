"""The patient's sheet: plain words, no points; what was noticed, may mean, is to be asked."""

from itertools import count, takewhile

from reports.blocks import Block, Document, Section, Table, TableRow, paragraph
from reports.document.summary_page import framed, heading
from reports.phrases import Wording
from reports.svg import drawn
from reports.view.model import View
from schemas.base import Frozen, Many

NAMED = ("some", "many", "strong")
"""Bands of answers that point to what the sheet then calls by its name."""


class Cycle(Frozen):
    """The steps that lead round in a circle."""

    steps: Many[str]
    words: str


def sheet(view: View, words: Wording) -> Document:
    """The document of the view, for the person it is about."""
    view = _in_own_words(view, words)
    about_pain = (_evidence(view, words), _cycle(words)) if view.patterns else ()
    resources = (_resources(words),) if view.patterns else ()
    return Document(
        **framed(view, words),
        role="sheet",
        title=words.say("sheet_title"),
        lead=words.say("sheet_lead"),
        what=words.say("sheet_foot", rulebook=view.rulebook, hash=view.sha256[:12]),
        blocks=(
            *heading(view.model_copy(update={"note": None}), words),
            _flags(view, words),
            _told(words, "sheet_real", "sheet_real_1", "sheet_real_2"),
            *_noticed(view, words),
            _meaning(view, words),
            *about_pain,
            _talk(words),
            *resources,
        ),
    )


def _in_own_words(view: View, words: Wording) -> View:
    """Patterns as one says them of one's own pain; where there are no such words, as before."""
    start = f"pattern_{view.rulebook.split('@')[0]}"
    patterns = tuple(
        each.model_copy(update={"label": words.words.get(f"{start}_{each.number}", each.label)})
        for each in view.patterns
    )
    return view.model_copy(update={"patterns": patterns})


def _told(words: Wording, title: str, *phrases: str) -> Section:
    return Section(heading=words.say(title), blocks=tuple(paragraph(words.say(p)) for p in phrases))


def _flags(view: View, words: Wording) -> Section:
    """What to do first. Nothing about the person's safety: others may read the sheet too."""
    shown = [each for each in view.flags if not each.about_person]
    blocks: list[Block] = [
        paragraph(words.say("sheet_marked" if each.marked else "sheet_noted", label=each.label))
        for each in shown
    ]
    if shown:
        tier = f"sheet_do_{shown[0].tier_id}"
        todo = tier if tier in words.words else "sheet_do"
        blocks.append(paragraph("", strong=words.say(todo)))
    else:
        blocks.append(paragraph(words.say(_unflagged(view))))
    if view.not_asked and not view.none_asked:
        blocks.append(paragraph(words.say("sheet_some_not_asked")))
    if view.no_longer:
        blocks.append(paragraph(words.say("sheet_no_longer")))
    blocks.append(paragraph(words.say("sheet_help")))
    blocks += [paragraph(each, "step", aside="\N{BULLET}") for each in view.help_numbers]
    return Section(role="safety", heading=words.say("sheet_first"), blocks=tuple(blocks))


def _unflagged(view: View) -> str:
    if view.none_asked:
        return "sheet_none_asked"
    return "sheet_talk_first" if view.flags or view.no_longer else "sheet_no_flag"


def _noticed(view: View, words: Wording) -> tuple[Section, ...]:
    if not view.patterns:
        return ()
    seen = [each.label for each in view.patterns if each.seen]
    title = words.say("sheet_noticed")
    if not seen:
        known = any(each.state_id != "not_asked" for each in view.patterns)
        none = "sheet_noticed_none" if known else "sheet_noticed_unknown"
        return (Section(heading=title, blocks=(paragraph(words.say(none)),)),)
    told = tuple(paragraph(each, "step", aside="\N{BULLET}") for each in seen)
    some = paragraph(words.say("sheet_noticed_some", seen=str(len(seen))))
    return (Section(heading=title, blocks=(some, *told)),)


def _meaning(view: View, words: Wording) -> Section:
    instrument = view.rulebook.split("@")[0]
    phrase = f"sheet_{instrument}_{view.band_id}"
    if view.band_id is None or phrase not in words.words:
        phrase = f"sheet_status_{view.status}"
    named = ("sheet_means_word",) if view.band_id in NAMED else ()
    more = (*named, "sheet_means_more") if view.patterns else ()
    return _told(words, "sheet_means", phrase, *more)


def _evidence(view: View, words: Wording) -> Section:
    table = Table(
        role="evidence",
        caption=words.say("sheet_evidence_is"),
        columns=tuple(words.say(f"sheet_column_{each}") for each in ("pattern", "state", "own")),
        rows=tuple(
            TableRow(
                cells=(
                    f"{each.number} {each.label}",
                    words.say(f"sheet_state_{each.state_id}"),
                    "",
                )
            )
            for each in view.patterns
        ),
    )
    return Section(heading=words.say("sheet_evidence"), blocks=(table,))


def _cycle(words: Wording) -> Section:
    steps = tuple(words.say(f"sheet_cycle_{place}") for place in range(1, 5))
    picture = drawn("cycle", Cycle(steps=steps, words=words.say("sheet_cycle_words")), words)
    blocks = (picture, paragraph(words.say("sheet_cycle_told")))
    return Section(heading=words.say("sheet_cycle"), blocks=blocks)


def _talk(words: Wording) -> Section:
    asked: list[Block] = [
        paragraph(words.say(each), "step", aside="\N{BULLET}")
        for each in _numbered("sheet_talk_", words)
    ]
    asked += [paragraph("", strong=words.say(each)) for each in ("sheet_keep",)]
    return Section(heading=words.say("sheet_talk"), blocks=tuple(asked))


def _resources(words: Wording) -> Section:
    told = tuple(
        paragraph(words.say(f"{each}_known"), "run", strong=words.say(each))
        for each in _numbered("sheet_resource_", words)
    )
    blocks = (paragraph(words.say("sheet_resources_are")), *told)
    return Section(heading=words.say("sheet_resources"), blocks=blocks)


def _numbered(start: str, words: Wording) -> list[str]:
    """The phrases start1, start2 and so on, as many as there are."""
    names = (f"{start}{number}" for number in count(1))
    return list(takewhile(words.words.__contains__, names))
