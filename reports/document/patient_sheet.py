"""Build the patient sheet: findings, meaning and next steps in plain wording, without points."""

from itertools import count, takewhile

from reports.blocks import Block, Document, Paragraph, Section, Table, TableRow, paragraph
from reports.document.summary_page import framed, heading
from reports.phrases import Wording
from reports.svg import drawn
from reports.view.model import View
from schemas.base import FrozenModel, Many

BANDS_NAMING_THE_CONDITION = ("some", "many", "strong")
"""Bands for which the sheet names the condition."""


class Cycle(FrozenModel):
    """A drawing of steps that form a circle; `words` is its text alternative."""

    steps: Many[str]
    words: str


def sheet(view: View, wording: Wording) -> Document:
    """Return the sheet for the patient."""
    view = _in_own_words(view, wording)
    about_pain = (_evidence(view, wording), _cycle(wording)) if view.patterns else ()
    resources = (_resources(wording),) if view.patterns else ()
    return Document(
        **framed(view, wording),
        role="sheet",
        title=wording.say("sheet_title"),
        lead=wording.say("sheet_lead"),
        what=wording.say("sheet_foot", rulebook=view.rulebook, hash=view.sha256[:12]),
        blocks=(
            *heading(view.model_copy(update={"note": None}), wording),
            _flags(view, wording),
            _section(wording, "sheet_real", "sheet_real_1", "sheet_real_2"),
            *_noticed(view, wording),
            _meaning(view, wording),
            *about_pain,
            _talk(wording),
            *resources,
        ),
    )


def _in_own_words(view: View, wording: Wording) -> View:
    """Label the patterns as patients would put them, where the wording has such labels."""
    prefix = f"pattern_{view.rulebook.split('@')[0]}"
    patterns = tuple(
        pattern.model_copy(
            update={"label": wording.words.get(f"{prefix}_{pattern.number}", pattern.label)}
        )
        for pattern in view.patterns
    )
    return view.model_copy(update={"patterns": patterns})


def _section(wording: Wording, title: str, *phrases: str) -> Section:
    return Section(
        heading=wording.say(title), blocks=tuple(paragraph(wording.say(name)) for name in phrases)
    )


def _flags(view: View, wording: Wording) -> Section:
    """Return what to do first. Flags about personal safety are left out: others may read it."""
    flags = [flag for flag in view.flags if not flag.about_person]
    blocks: list[Block] = [
        paragraph(wording.say("sheet_marked" if flag.marked else "sheet_noted", label=flag.label))
        for flag in flags
    ]
    if flags:
        by_tier = f"sheet_do_{flags[0].tier_id}"
        action = by_tier if by_tier in wording.words else "sheet_do"
        blocks.append(paragraph("", strong=wording.say(action)))
    else:
        blocks.append(paragraph(wording.say(_no_flag_phrase(view))))
    if view.not_asked and not view.none_asked:
        blocks.append(paragraph(wording.say("sheet_some_not_asked")))
    if view.no_longer:
        blocks.append(paragraph(wording.say("sheet_no_longer")))
    blocks.append(paragraph(wording.say("sheet_help")))
    blocks += [_bullet(number) for number in view.help_numbers]
    return Section(role="safety", heading=wording.say("sheet_first"), blocks=tuple(blocks))


def _no_flag_phrase(view: View) -> str:
    if view.none_asked:
        return "sheet_none_asked"
    return "sheet_talk_first" if view.flags or view.no_longer else "sheet_no_flag"


def _noticed(view: View, wording: Wording) -> tuple[Section, ...]:
    if not view.patterns:
        return ()
    seen = [pattern.label for pattern in view.patterns if pattern.seen]
    title = wording.say("sheet_noticed")
    if not seen:
        has_answer = any(pattern.state_id != "not_asked" for pattern in view.patterns)
        phrase = "sheet_noticed_none" if has_answer else "sheet_noticed_unknown"
        return (Section(heading=title, blocks=(paragraph(wording.say(phrase)),)),)
    intro = paragraph(wording.say("sheet_noticed_some", seen=str(len(seen))))
    return (Section(heading=title, blocks=(intro, *map(_bullet, seen))),)


def _meaning(view: View, wording: Wording) -> Section:
    instrument = view.rulebook.split("@")[0]
    phrase = f"sheet_{instrument}_{view.band_id}"
    if view.band_id is None or phrase not in wording.words:
        phrase = f"sheet_status_{view.status}"
    name = ("sheet_means_word",) if view.band_id in BANDS_NAMING_THE_CONDITION else ()
    more = (*name, "sheet_means_more") if view.patterns else ()
    return _section(wording, "sheet_means", phrase, *more)


def _evidence(view: View, wording: Wording) -> Section:
    table = Table(
        role="evidence",
        caption=wording.say("sheet_evidence_is"),
        columns=tuple(
            wording.say(f"sheet_column_{column}") for column in ("pattern", "state", "own")
        ),
        rows=tuple(
            TableRow(
                cells=(
                    f"{pattern.number} {pattern.label}",
                    wording.say(f"sheet_state_{pattern.state_id}"),
                    "",
                )
            )
            for pattern in view.patterns
        ),
    )
    return Section(heading=wording.say("sheet_evidence"), blocks=(table,))


def _cycle(wording: Wording) -> Section:
    steps = tuple(wording.say(f"sheet_cycle_{number}") for number in range(1, 5))
    picture = drawn("cycle", Cycle(steps=steps, words=wording.say("sheet_cycle_words")), wording)
    blocks = (picture, paragraph(wording.say("sheet_cycle_told")))
    return Section(heading=wording.say("sheet_cycle"), blocks=blocks)


def _talk(wording: Wording) -> Section:
    questions = (_bullet(wording.say(name)) for name in _list_numbered("sheet_talk_", wording))
    keep = paragraph("", strong=wording.say("sheet_keep"))
    return Section(heading=wording.say("sheet_talk"), blocks=(*questions, keep))


def _resources(wording: Wording) -> Section:
    resources = tuple(
        paragraph(wording.say(f"{name}_known"), "run", strong=wording.say(name))
        for name in _list_numbered("sheet_resource_", wording)
    )
    blocks = (paragraph(wording.say("sheet_resources_are")), *resources)
    return Section(heading=wording.say("sheet_resources"), blocks=blocks)


def _bullet(text: str) -> Paragraph:
    return paragraph(text, "step", aside="\N{BULLET}")


def _list_numbered(prefix: str, wording: Wording) -> list[str]:
    """Return the names of the existing phrases prefix1, prefix2 and so on."""
    names = (f"{prefix}{number}" for number in count(1))
    return list(takewhile(wording.words.__contains__, names))
