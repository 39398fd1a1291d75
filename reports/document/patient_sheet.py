"""Build the patient sheet: findings, meaning and next steps in plain words, without points."""

from itertools import count, takewhile

from reports.blocks import Block, Document, Paragraph, Section, Table, TableRow, paragraph
from reports.document.summary_page import build_heading, build_page_frame
from reports.phrases import Phrases
from reports.svg import draw_chart
from reports.view.model import ReportView
from schemas.base import FrozenModel, Many
from schemas.rulebook_name import RulebookName

BANDS_NAMING_THE_CONDITION = ("some", "many", "strong")
"""Bands for which the sheet names the condition."""


class CycleChart(FrozenModel):
    """A drawing of steps that form a circle."""

    steps: Many[str]
    alt_text: str


def build_patient_sheet(view: ReportView, phrases: Phrases) -> Document:
    """Return the sheet for the patient."""
    view = _use_patient_labels(view, phrases)
    about_pain = (_build_evidence(view, phrases), _build_cycle(phrases)) if view.patterns else ()
    resources = (_build_resources(phrases),) if view.patterns else ()
    return Document(
        **build_page_frame(view, phrases),
        role="sheet",
        title=phrases.say("sheet_title"),
        lead=phrases.say("sheet_lead"),
        rulebook_line=phrases.say(
            "sheet_foot", rulebook=view.rulebook, hash=view.rulebook_sha256[:12]
        ),
        blocks=(
            *build_heading(view.model_copy(update={"note": None}), phrases),
            _build_flags(view, phrases),
            _build_section(phrases, "sheet_real", "sheet_real_1", "sheet_real_2"),
            *_build_noticed_patterns(view, phrases),
            _build_meaning(view, phrases),
            *about_pain,
            _build_talking_points(phrases),
            *resources,
        ),
    )


def _use_patient_labels(view: ReportView, phrases: Phrases) -> ReportView:
    """Label the patterns as patients would put them, where the phrases have such labels."""
    prefix = f"pattern_{view.rulebook.split('@')[0]}"
    patterns = tuple(
        pattern.model_copy(
            update={"label": phrases.words.get(f"{prefix}_{pattern.number}", pattern.label)}
        )
        for pattern in view.patterns
    )
    return view.model_copy(update={"patterns": patterns})


def _build_section(phrases: Phrases, title: str, *texts: str) -> Section:
    return Section(
        heading=phrases.say(title), blocks=tuple(paragraph(phrases.say(name)) for name in texts)
    )


def _build_flags(view: ReportView, phrases: Phrases) -> Section:
    """Return what to do first. Flags about personal safety are left out: others may read it."""
    flags = [flag for flag in view.flags if not flag.about_person]
    blocks: list[Block] = [
        paragraph(
            phrases.say(
                "sheet_marked" if flag.is_marked_by_patient else "sheet_noted", label=flag.label
            )
        )
        for flag in flags
    ]
    if flags:
        by_tier = f"sheet_do_{flags[0].tier_id}"
        action = by_tier if by_tier in phrases.words else "sheet_do"
        blocks.append(paragraph("", strong=phrases.say(action)))
    else:
        blocks.append(paragraph(phrases.say(_choose_no_flag_phrase(view))))
    if view.unanswered_safety_questions and not view.has_no_safety_answers:
        blocks.append(paragraph(phrases.say("sheet_some_not_asked")))
    if view.withdrawn_flags_text:
        blocks.append(paragraph(phrases.say("sheet_no_longer")))
    blocks.append(paragraph(phrases.say("sheet_help")))
    blocks += [_build_bullet(number) for number in view.help_numbers]
    return Section(role="safety", heading=phrases.say("sheet_first"), blocks=tuple(blocks))


def _choose_no_flag_phrase(view: ReportView) -> str:
    if view.has_no_safety_answers:
        return "sheet_none_asked"
    return "sheet_talk_first" if view.flags or view.withdrawn_flags_text else "sheet_no_flag"


def _build_noticed_patterns(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    if not view.patterns:
        return ()
    present_patterns = [pattern.label for pattern in view.patterns if pattern.is_seen]
    title = phrases.say("sheet_noticed")
    if not present_patterns:
        has_answer = any(pattern.state_id != "not_asked" for pattern in view.patterns)
        phrase = "sheet_noticed_none" if has_answer else "sheet_noticed_unknown"
        return (Section(heading=title, blocks=(paragraph(phrases.say(phrase)),)),)
    intro = paragraph(phrases.say("sheet_noticed_some", seen=str(len(present_patterns))))
    return (Section(heading=title, blocks=(intro, *map(_build_bullet, present_patterns))),)


def _build_meaning(view: ReportView, phrases: Phrases) -> Section:
    instrument = RulebookName.parse(view.rulebook).instrument
    phrase = f"sheet_{instrument}_{view.band_id}"
    if view.band_id is None or phrase not in phrases.words:
        phrase = f"sheet_status_{view.status}"
    name = ("sheet_means_word",) if view.band_id in BANDS_NAMING_THE_CONDITION else ()
    more = (*name, "sheet_means_more") if view.patterns else ()
    return _build_section(phrases, "sheet_means", phrase, *more)


def _build_evidence(view: ReportView, phrases: Phrases) -> Section:
    table = Table(
        role="evidence",
        caption=phrases.say("sheet_evidence_is"),
        columns=tuple(
            phrases.say(f"sheet_column_{column}") for column in ("pattern", "state", "own")
        ),
        rows=tuple(
            TableRow(
                cells=(
                    f"{pattern.number} {pattern.label}",
                    phrases.say(f"sheet_state_{pattern.state_id}"),
                    "",
                )
            )
            for pattern in view.patterns
        ),
    )
    return Section(heading=phrases.say("sheet_evidence"), blocks=(table,))


def _build_cycle(phrases: Phrases) -> Section:
    steps = tuple(phrases.say(f"sheet_cycle_{number}") for number in range(1, 5))
    picture = draw_chart(
        "cycle", CycleChart(steps=steps, alt_text=phrases.say("sheet_cycle_words")), phrases
    )
    blocks = (picture, paragraph(phrases.say("sheet_cycle_told")))
    return Section(heading=phrases.say("sheet_cycle"), blocks=blocks)


def _build_talking_points(phrases: Phrases) -> Section:
    questions = (
        _build_bullet(phrases.say(name)) for name in _list_numbered("sheet_talk_", phrases)
    )
    advice = paragraph("", strong=phrases.say("sheet_keep"))
    return Section(heading=phrases.say("sheet_talk"), blocks=(*questions, advice))


def _build_resources(phrases: Phrases) -> Section:
    resources = tuple(
        paragraph(phrases.say(f"{name}_known"), "run", strong=phrases.say(name))
        for name in _list_numbered("sheet_resource_", phrases)
    )
    blocks = (paragraph(phrases.say("sheet_resources_are")), *resources)
    return Section(heading=phrases.say("sheet_resources"), blocks=blocks)


def _build_bullet(text: str) -> Paragraph:
    return paragraph(text, "step", aside="\N{BULLET}")


def _list_numbered(prefix: str, phrases: Phrases) -> list[str]:
    """Return the names of the phrases prefix1, prefix2 and so on that exist."""
    names = (f"{prefix}{number}" for number in count(1))
    return list(takewhile(phrases.words.__contains__, names))
