"""Build the parts that several kinds of patient's sheets share."""

from collections.abc import Iterable
from itertools import count, takewhile

from reports.blocks import Block, Paragraph, Section, paragraph
from reports.phrases import Phrases
from reports.view.model import FlagLine, ReportView


def build_bullet(text: str) -> Paragraph:
    """Return one entry of a list."""
    return paragraph(text, "step", aside="\N{BULLET}")


def build_section(phrases: Phrases, title: str, *texts: str) -> Section:
    """Return the texts of these phrases under a heading."""
    return Section(
        heading=phrases.say(title), blocks=tuple(paragraph(phrases.say(name)) for name in texts)
    )


def build_list(phrases: Phrases, title: str, entries: Iterable[str]) -> Section:
    """Return a list under a heading."""
    return Section(heading=phrases.say(title), blocks=tuple(map(build_bullet, entries)))


def list_body_flags(view: ReportView) -> tuple[FlagLine, ...]:
    """Return the flags that a sheet may name: those about the body that are not assessed."""
    return tuple(flag for flag in view.flags if not flag.about_person and not flag.is_assessed)


def describe_flag(flag: FlagLine, phrases: Phrases) -> str:
    """Return what was marked by the patient or noted by someone else, in its plain words."""
    phrase = "sheet_marked" if flag.is_marked_by_patient else "sheet_noted"
    return phrases.say(phrase, label=flag.patient_label)


def build_safety(view: ReportView, phrases: Phrases) -> Section:
    """Return what is still to be looked at, what was not asked, and where help is."""
    flags = list_body_flags(view)
    blocks: list[Block] = [paragraph(describe_flag(flag, phrases)) for flag in flags]
    if flags:
        blocks.append(paragraph("", strong=phrases.say("sheet_do_T3")))
    else:
        blocks.append(paragraph(phrases.say(_choose_no_flag_phrase(view))))
    if view.sheet.open_safety_questions and not view.has_no_safety_answers:
        questions = phrases.say("list_mark").join(view.sheet.open_safety_questions)
        blocks.append(paragraph(phrases.say("sheet_some_not_asked")))
        blocks.append(build_bullet(questions))
    if view.withdrawn_flags_text:
        blocks.append(paragraph(phrases.say("sheet_no_longer")))
    blocks += list_help(view, phrases)
    return Section(role="safety", heading=phrases.say("sheet_first"), blocks=tuple(blocks))


def list_emergency_numbers(view: ReportView, phrases: Phrases) -> tuple[str, ...]:
    """Return the emergency numbers of the organisation; without any, those of some countries."""
    return view.sheet.emergency_numbers or (phrases.say("sheet_emergency_numbers"),)


def list_crisis_numbers(view: ReportView, phrases: Phrases) -> tuple[str, ...]:
    """Return the crisis lines of the organisation; without any, those of some countries."""
    return view.sheet.crisis_numbers or (phrases.say("sheet_crisis_numbers"),)


def list_help(view: ReportView, phrases: Phrases) -> list[Block]:
    """Return where help is, with the numbers of the organisation."""
    numbers = (*view.sheet.crisis_numbers, *view.sheet.emergency_numbers)
    return [paragraph(phrases.say("sheet_help")), *map(build_bullet, numbers)]


def build_talking_points(view: ReportView, phrases: Phrases) -> Section:
    """Return questions to bring, and that no treatment is to be stopped."""
    names = list_numbered("sheet_talk_", phrases)
    questions = (build_bullet(say_for_activity(name, view, phrases)) for name in names)
    advice = paragraph("", strong=phrases.say("sheet_keep"))
    return Section(heading=phrases.say("sheet_talk"), blocks=(*questions, advice))


def say_for_activity(name: str, view: ReportView, phrases: Phrases) -> str:
    """Return the phrase; where activity may harm, its variant without it, if there is one."""
    variant = f"{name}_without_activity"
    has_variant = variant in phrases.words and not view.sheet.names_activity
    return phrases.say(variant if has_variant else name)


def list_numbered(prefix: str, phrases: Phrases) -> list[str]:
    """Return the names of the phrases prefix1, prefix2 and so on that exist."""
    names = (f"{prefix}{number}" for number in count(1))
    return list(takewhile(phrases.words.__contains__, names))


def _choose_no_flag_phrase(view: ReportView) -> str:
    if view.has_no_safety_answers:
        return "sheet_none_asked"
    may_have_more = view.is_shareable or view.flags or view.withdrawn_flags_text
    return "sheet_talk_first" if may_have_more else "sheet_no_flag"
