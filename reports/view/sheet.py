"""Choose the kind of the patient's sheet, and build what only the sheet shows."""

from collections.abc import Mapping
from typing import Any

from pydantic import MISSING

from reports.phrases import Phrases
from reports.view.answer_words import list_open_questions, summarise_answers
from reports.view.editions import NEUTRAL_SHEET, find_flags_about_person
from reports.view.heading import ReportHeading
from reports.view.intake import AssessedIntake
from reports.view.model import SheetView
from reports.view.paper_settings import load_paper_settings
from reports.view.result_words import find_banded_total
from reports.view.text_sanitiser import clean_line
from schemas.assessment import Assessment
from schemas.rulebook import Rulebook

BANDS_NAMING_THE_CONDITION = ("some", "many", "strong")
"""Bands for which the sheet names the condition."""


def choose_sheet_kind(rulebook: Rulebook, intake: AssessedIntake) -> str:
    """Return the kind of the assessment; for the first rules, the nearest to it."""
    assessment = intake.assessment
    if assessment.sheet is not MISSING:
        return assessment.sheet.kind
    by_flags = _choose_kind_by_flags(rulebook, assessment)
    if by_flags is not None:
        return by_flags
    if assessment.status == "out_of_scope":
        return "out_of_scope"
    if find_plain_phrase(intake.known_answers) is not None:
        return "plain"
    if assessment.status == "insufficient_information":
        return "unfinished"
    main = find_banded_total(rulebook)
    band = assessment.totals[main.id].band if assessment.totals and main else None
    has_patterns = assessment.patterns is not None and bool(assessment.patterns.list)
    return "plain" if has_patterns and band not in BANDS_NAMING_THE_CONDITION else "evidence"


def build_sheet(
    rulebook: Rulebook,
    intake: AssessedIntake,
    heading: ReportHeading,
    phrases: Phrases,
    kind: str,
) -> SheetView:
    """Return what only the sheet shows."""
    answers = intake.known_answers
    summary = summarise_answers(rulebook, answers, phrases)
    missing = {answer.question for answer in intake.assessment.missing or ()}
    sheet = intake.assessment.sheet
    return SheetView(
        kind=kind,
        has_crisis_lines=sheet is not MISSING and sheet.crisis_lines,
        crisis_numbers=_list_numbers(heading, crisis=True),
        emergency_numbers=_list_numbers(heading, crisis=False),
        plain_phrase=find_plain_phrase(answers) or "sheet_plain_elsewhere",
        answers=summary.lines,
        denied_count=summary.denied_count,
        open_questions=list_open_questions(rulebook, missing),
    )


def find_plain_phrase(answers: Mapping[str, Any]) -> str | None:
    """Return the phrase that a plain sheet begins with because of an answer; None if none does."""
    rules = load_paper_settings().plain_sheet
    return next((rule.phrase for rule in rules if answers.get(rule.question) == rule.answer), None)


def _choose_kind_by_flags(rulebook: Rulebook, assessment: Assessment) -> str | None:
    about_person = find_flags_about_person(rulebook)
    tiers = {flag.tier for flag in assessment.safety.flags}
    body_tiers = {flag.tier for flag in assessment.safety.flags if flag.id not in about_person}
    withholding = {tier.id for tier in rulebook.tier if tier.withholds}
    if body_tiers & withholding:
        return "emergency"
    if tiers & withholding:
        return NEUTRAL_SHEET
    return "soon" if body_tiers - {tier.id for tier in rulebook.tier[-1:]} else None


def _list_numbers(heading: ReportHeading, *, crisis: bool) -> tuple[str, ...]:
    return tuple(
        f"{clean_line(line.label)}: {clean_line(line.number)}"
        for line in heading.help_numbers
        if line.crisis == crisis
    )
