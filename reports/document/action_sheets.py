"""Build the patient's sheets for an emergency, a crisis, and what should be looked at soon.

They hold nothing but what to do: no comfort, no explanation of pain, no resources.
"""

from reports.blocks import Block, Section, paragraph
from reports.document.sheet_parts import (
    build_bullet,
    build_list,
    describe_flag,
    list_body_flags,
    list_crisis_numbers,
    list_emergency_numbers,
)
from reports.phrases import Phrases
from reports.view.model import FlagLine, ReportView
from schemas.rulebooks.rulebook_name import RulebookName


def build_emergency(view: ReportView, phrases: Phrases) -> tuple[Block, ...]:
    """Return what was marked, what to say, what to do and what to take."""
    flags = [flag for flag in list_body_flags(view) if flag.is_urgent]
    tier = flags[0].tier_id
    labels = "; ".join(flag.patient_label.rstrip(".") for flag in flags)
    what = (
        build_list(phrases, "sheet_what", (flag.patient_label for flag in flags)),
        Section(
            heading=phrases.say("sheet_say"),
            blocks=(paragraph(phrases.say(f"sheet_say_{tier}", labels=labels)),),
        ),
    )
    actions: list[Block] = [paragraph("", strong=phrases.say(f"sheet_do_{tier}"))]
    actions += map(build_bullet, list_emergency_numbers(view, phrases))
    advice = (
        Section(heading=phrases.say("sheet_do_now"), blocks=tuple(actions)),
        build_list(
            phrases,
            "sheet_take",
            [phrases.say("sheet_take_medicines"), phrases.say("sheet_take_sheet")],
        ),
    )
    columns = Section(role="columns safety", blocks=(Section(blocks=what), Section(blocks=advice)))
    crisis_lines = _build_crisis_lines(view, phrases) if view.sheet.has_crisis_lines else ()
    return _enlarge(columns, *crisis_lines)


def _build_crisis_lines(view: ReportView, phrases: Phrases) -> tuple[Section, ...]:
    numbers = (*list_crisis_numbers(view, phrases), *list_emergency_numbers(view, phrases))
    blocks = (paragraph("", strong=phrases.say("sheet_crisis_call")), *map(build_bullet, numbers))
    return (Section(heading=phrases.say("sheet_crisis_lines"), blocks=blocks),)


def build_crisis(view: ReportView, phrases: Phrases) -> tuple[Block, ...]:
    """Return that the answer was seen, whom to call, and to keep medicines out of reach."""
    answer = Section(
        role="safety",
        heading=phrases.say("sheet_crisis_seen"),
        blocks=(paragraph(phrases.say("sheet_crisis_matters")),),
    )
    person = Section(
        heading=phrases.say("sheet_crisis_person"),
        blocks=(
            paragraph(phrases.say("sheet_crisis_tell")),
            paragraph(f"{phrases.say('sheet_crisis_name')} {'_' * 40}"),
        ),
    )
    medicines = Section(
        heading=phrases.say("sheet_crisis_medicines"),
        blocks=(paragraph(phrases.say("sheet_crisis_reach")),),
    )
    has_more = any(not flag.is_urgent and flag.tier_id == "T2" for flag in list_body_flags(view))
    more = (paragraph("", strong=phrases.say("sheet_crisis_soon")),) if has_more else ()
    return _enlarge(answer, *_build_crisis_lines(view, phrases), person, medicines, *more)


def build_soon(view: ReportView, phrases: Phrases) -> tuple[Block, ...]:
    """Return what should be looked at within days and by whom, and what makes it the same day."""
    flags = _list_soon_flags(view)
    first = Section(
        role="safety",
        heading=phrases.say("sheet_soon"),
        blocks=(
            *(build_bullet(describe_flag(flag, phrases)) for flag in flags),
            paragraph("", strong=phrases.say("sheet_do_T2")),
        ),
    )
    today = build_list(phrases, "sheet_today", _list_today_signs(view, flags, phrases))
    return _enlarge(first, today)


def _enlarge(*blocks: Block) -> tuple[Block, ...]:
    """Return the blocks of a sheet of action in larger type."""
    return (Section(role="action", blocks=blocks),)


def _list_soon_flags(view: ReportView) -> list[FlagLine]:
    flags = list_body_flags(view)
    return [flag for flag in flags if flag.tier_id == flags[0].tier_id]


def _list_today_signs(view: ReportView, flags: list[FlagLine], phrases: Phrases) -> list[str]:
    """Return what makes these flags ones for the same day, in a patient's words, each once."""
    prefix = f"sheet_today_{RulebookName.parse(view.rulebook).instrument}"
    keys = [f"{prefix}_{flag.id}" for flag in flags]
    signs = [phrases.words[key] for key in keys if key in phrases.words]
    return list(dict.fromkeys((*signs, phrases.say("sheet_today_worse"))))
