"""Fills a questionnaire with what is known of a patient, for someone to check and complete."""

from datetime import date
from typing import Any

from api.fhir.elements import Resource
from api.fhir.questionnaire_catalogue import QuestionnaireForm
from api.fhir.resources.operation_outcome import OutcomeIssue
from api.fhir.resources.questionnaire_response import build_items
from schemas.patients.screening import Screening
from scoring.answers.question_dependencies import find_condition_questions

AGE = "age_years"
"""The question that a date of birth answers, the same in every rulebook."""


def build_populated_response(
    form: QuestionnaireForm, subject: Resource, latest: Screening | None, today: date
) -> tuple[Resource, list[OutcomeIssue]]:
    """Return the response to complete, and what someone must know of its answers.

    Questions of red flags stay open: an earlier answer would say that they were asked today.
    """
    answers, issues = _list_known_answers(form, latest, today)
    response: Resource = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": form.canonical,
        "status": "in-progress",
        "subject": subject,
    }
    items = build_items(form, answers)
    return response | ({"item": items} if items else {}), issues


def _list_known_answers(
    form: QuestionnaireForm, latest: Screening | None, today: date
) -> tuple[dict[str, Any], list[OutcomeIssue]]:
    if latest is None:
        return {}, [_inform("Nothing is known of this patient.")]
    answers: dict[str, Any] = {}
    issues = []
    if latest.assessment.rulebook == form.loaded.name:
        rulebook, derived = form.loaded.rulebook, form.loaded.derived_by_id
        flag_questions = find_condition_questions([flag.when for flag in rulebook.flag], derived)
        answers = {
            question: answer
            for question, answer in latest.answers.items()
            if question not in flag_questions and question != AGE
        }
        answered_on = latest.context.answered_on or latest.created_at.date()
        issues.append(
            _inform(
                f"Answers of {answered_on.isoformat()} were filled in: check each of them. "
                "Questions of red flags were left open."
            )
        )
    else:
        issues.append(_inform("The earlier answers are to another version and were left out."))
    birth_date = latest.patient.birth_date
    if birth_date is not None and AGE in form.loaded.questions:
        answers[AGE] = calculate_age(birth_date, today)
    return answers, issues


def calculate_age(birth_date: date, today: date) -> int:
    """Return the age in whole years."""
    had_birthday = (today.month, today.day) >= (birth_date.month, birth_date.day)
    return today.year - birth_date.year - (not had_birthday)


def _inform(text: str) -> OutcomeIssue:
    return OutcomeIssue("informational", text, severity="information")
