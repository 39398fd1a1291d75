"""Arrange a screening for its page: its reasons with rationale and sources, and its answers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from api.forms.answer_parser import describe_answer
from api.forms.form_model import FormOptions, build_form
from reports.view.model import Reason, ReportView
from reports.view.sources import CitedSource
from schemas.assessment import Assessment
from schemas.rulebook import Rulebook
from scoring.compiled_rulebook import LoadedRulebook


class CriterionDetail(NamedTuple):
    """One criterion with its rationale and sources."""

    reason: Reason
    rationale: str
    sources: tuple[CitedSource, ...]


class CriterionGroup(NamedTuple):
    """The criteria with the same verdict; `heading` is a phrase."""

    heading: str
    criteria: tuple[CriterionDetail, ...]


STRONGEST = 5

_HEADINGS = {
    "for": "desk_for",
    "against": "desk_against",
    "neutral": "desk_neutral",
    "unanswered": "desk_unanswered",
}


def group_criteria(
    view: ReportView, assessment: Assessment, book: Rulebook
) -> list[CriterionGroup]:
    """Return all criteria by verdict, the strongest first: for, against, neutral, unanswered."""
    verdicts = {result.id: result.verdict for result in assessment.criteria or ()}
    weights = {result.id: abs(result.points or Decimal(0)) for result in assessment.criteria or ()}
    rationales = {criterion.id: criterion.rationale for criterion in book.criterion}
    by_weight = sorted(view.criteria, key=lambda reason: -weights[reason.id])
    groups = []
    for verdict, heading in _HEADINGS.items():
        criteria = tuple(
            CriterionDetail(
                reason, rationales.get(reason.id, ""), find_sources(view, reason.sources)
            )
            for reason in by_weight
            if verdicts[reason.id] == verdict
        )
        if criteria:
            groups.append(CriterionGroup(heading, criteria))
    return groups


def select_strongest(groups: list[CriterionGroup], heading: str) -> tuple[CriterionDetail, ...]:
    """Return the five strongest criteria under this heading."""
    return next((it.criteria[:STRONGEST] for it in groups if it.heading == heading), ())


def find_sources(view: ReportView, marks: str) -> tuple[CitedSource, ...]:
    """Return the sources with these comma-separated marks."""
    mark_set = {mark.strip() for mark in marks.split(",")}
    return tuple(source for source in view.sources if source.mark in mark_set)


class AnswerGroup(NamedTuple):
    """The answers to one topic, each with its question as it was asked."""

    heading: str
    answers: tuple[tuple[str, str], ...]


def describe_answers(
    loaded: LoadedRulebook, language: str, answers: Mapping[str, Any], none: str
) -> tuple[list[AnswerGroup], list[str]]:
    """Return all answers in words by topic, and the questions without an answer.

    `none` stands for an empty selection.
    """
    form = build_form(loaded, FormOptions("clinician", language, asks_adversity=True))
    groups = [
        AnswerGroup(
            step.heading,
            tuple(
                (question.text, "; ".join(describe_answer(question, answer)) or none)
                for question in step.questions
                if (answer := answers.get(question.id)) is not None
            ),
        )
        for step in form.steps
    ]
    unanswered = [it.text for it in form.questions if answers.get(it.id) is None]
    return [group for group in groups if group.answers], unanswered
