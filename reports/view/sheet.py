"""Choose the kind of the patient's sheet, and build what only the sheet shows."""

from collections.abc import Mapping
from typing import Any

from pydantic import MISSING

from reports.phrases import Phrases
from reports.view.answer_words import list_open_questions, summarise_answers
from reports.view.editions import (
    find_flags_about_person,
    find_private_questions,
    share_sheet_kind,
)
from reports.view.heading import ReportHeading
from reports.view.intake import AssessedIntake
from reports.view.model import SheetView
from reports.view.paper_settings import load_paper_settings
from reports.view.result_words import find_banded_total
from reports.view.text_sanitiser import clean_line
from schemas.assessments.assessment import Assessment
from schemas.rulebooks.rulebook import Rulebook

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
        crisis_numbers=_list_numbers(heading, "crisis", phrases),
        emergency_numbers=_list_numbers(heading, "emergency", phrases),
        plain_phrase=find_plain_phrase(answers) or _choose_plain_phrase(rulebook, intake),
        names_activity=_may_name_activity(rulebook, intake),
        answers=summary.lines,
        denied_count=summary.denied_count,
        open_safety_questions=_list_open_safety_questions(rulebook, intake.assessment),
        open_questions=list_open_questions(rulebook, missing),
    )


def find_plain_phrase(answers: Mapping[str, Any]) -> str | None:
    """Return the phrase that a plain sheet begins with because of an answer; None if none does."""
    rules = load_paper_settings().plain_sheet
    return next((rule.phrase for rule in rules if answers.get(rule.question) == rule.answer), None)


def _list_open_safety_questions(rulebook: Rulebook, assessment: Assessment) -> tuple[str, ...]:
    """Return the labels of the open safety questions, but for private ones."""
    private, questions = find_private_questions(rulebook), rulebook.questions_by_id
    return tuple(
        questions[name].label for name in assessment.safety.unanswered if name not in private
    )


def _may_name_activity(rulebook: Rulebook, intake: AssessedIntake) -> bool:
    """Return whether it is known that an effort does not make the person ill, where it is asked."""
    questions, answers = rulebook.questions_by_id, intake.known_answers
    not_asked = () if intake.assessment.not_asked is MISSING else intake.assessment.not_asked
    rules = (rule for rule in load_paper_settings().effort if rule.question in questions)
    return all(
        rule.question in not_asked or _is_denied(answers.get(rule.question), rule.answer)
        for rule in rules
    )


def _is_denied(answer: Any, expected: bool | str) -> bool:  # noqa: FBT001 - an answer
    if isinstance(answer, list | tuple):
        return expected not in answer
    return answer is not None and answer != expected


def _choose_plain_phrase(rulebook: Rulebook, intake: AssessedIntake) -> str:
    """Return the phrase for a band; one that points to the condition says nothing of it here."""
    is_named = _find_band(rulebook, intake.assessment) in BANDS_NAMING_THE_CONDITION
    return "sheet_status_scored" if is_named else "sheet_plain_elsewhere"


def _list_numbers(heading: ReportHeading, kind: str, phrases: Phrases) -> tuple[str, ...]:
    """Return the numbers of one kind; no sheet has helplines for violence at home."""
    default_label = phrases.say(f"sheet_number_{kind}")
    return tuple(
        f"{clean_line(line.label or default_label)}: {clean_line(line.number)}"
        for line in heading.help_numbers
        if line.kind == kind
    )
