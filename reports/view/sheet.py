"""Choose the kind of the patient's sheet, and build what only the sheet shows."""

from collections.abc import Mapping
from typing import Any

from pydantic import MISSING

from reports.phrases import Phrases
from reports.view.answer_words import list_open_questions, summarise_answers
from reports.view.editions import find_flags_about_person, share_sheet_kind
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
    """Return the kind of the assessment; for the first rules, the nearest to it.

    By these a sheet with an urgent flag about the person is as in the shareable edition.
    """
    assessment = intake.assessment
    if assessment.sheet is not MISSING:
        return assessment.sheet.kind
    tiers = {flag.tier for flag in assessment.safety.flags}
    kind = _choose_kind_by_body_flags(rulebook, assessment) or _choose_kind_by_result(
        rulebook, intake
    )
    is_urgent = any(tier.withholds and tier.id in tiers for tier in rulebook.tier)
    return share_sheet_kind(kind) if is_urgent else kind


def _choose_kind_by_body_flags(rulebook: Rulebook, assessment: Assessment) -> str | None:
    about_person = find_flags_about_person(rulebook)
    tiers = {flag.tier for flag in assessment.safety.flags if flag.id not in about_person}
    if tiers & {tier.id for tier in rulebook.tier if tier.withholds}:
        return "emergency"
    return "soon" if tiers - {tier.id for tier in rulebook.tier[-1:]} else None


def _choose_kind_by_result(rulebook: Rulebook, intake: AssessedIntake) -> str:
    assessment = intake.assessment
    if assessment.status == "out_of_scope":
        return "out_of_scope"
    if find_plain_phrase(intake.known_answers) is not None:
        return "plain"
    if assessment.status == "insufficient_information":
        return "unfinished"
    has_patterns = assessment.patterns is not None and bool(assessment.patterns.list)
    is_named = _find_band(rulebook, assessment) in BANDS_NAMING_THE_CONDITION
    return "plain" if has_patterns and not is_named else "evidence"


def _find_band(rulebook: Rulebook, assessment: Assessment) -> str | None:
    main = find_banded_total(rulebook)
    return assessment.totals[main.id].band if assessment.totals and main else None


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
        plain_phrase=find_plain_phrase(answers) or _choose_plain_phrase(rulebook, intake),
        answers=summary.lines,
        denied_count=summary.denied_count,
        open_questions=list_open_questions(rulebook, missing),
    )


def find_plain_phrase(answers: Mapping[str, Any]) -> str | None:
    """Return the phrase that a plain sheet begins with because of an answer; None if none does."""
    rules = load_paper_settings().plain_sheet
    return next((rule.phrase for rule in rules if answers.get(rule.question) == rule.answer), None)


def _choose_plain_phrase(rulebook: Rulebook, intake: AssessedIntake) -> str:
    """Return the phrase for a band; one that points to the condition says nothing of it here."""
    is_named = _find_band(rulebook, intake.assessment) in BANDS_NAMING_THE_CONDITION
    return "sheet_status_scored" if is_named else "sheet_plain_elsewhere"


def _list_numbers(heading: ReportHeading, *, crisis: bool) -> tuple[str, ...]:
    return tuple(
        f"{clean_line(line.label)}: {clean_line(line.number)}"
        for line in heading.help_numbers
        if line.crisis == crisis
    )
