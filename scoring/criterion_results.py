"""Builds the result of one criterion: its answers, its points and the explanation."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from schemas.assessments.assessment import AppliedDiscount, WeighedCriterion
from schemas.rulebooks.conditions import list_subjects
from schemas.rulebooks.rulebook import Criterion
from scoring.conditions import Facts
from scoring.explanation import NOT_ASKED, PLACEHOLDER, Explainer
from scoring.remembered_parts import remember_part
from scoring.weighing import CriterionPoints, to_points

BuildResult = Callable[[Facts, CriterionPoints], WeighedCriterion]


def compile_criterion_result(
    criterion: Criterion,
    question_ids: Sequence[str],
    explainer: Explainer,
    *,
    gives_open_points: bool = False,
) -> BuildResult:
    """Return a function that builds the criterion's result from the facts and its weight.

    An unanswered criterion has no points, or with `gives_open_points` those that are certain.
    """
    explain = explainer.compile_explanation(criterion, question_ids)

    def build(facts: Facts, weight: CriterionPoints) -> WeighedCriterion:
        level = None if weight.level is None else criterion.level[weight.level]
        explanation = explain(weight, facts)
        return WeighedCriterion(
            id=criterion.id,
            domain=criterion.domain,
            label=criterion.label,
            verdict=_verdict(weight),
            answers={name: _find_answer(facts, name) for name in question_ids},
            level=level.id if level else None,
            points=to_points(weight.points) if level or gives_open_points else None,
            full_points=to_points(weight.full_points) if level else None,
            discount=None
            if weight.discount is None
            else AppliedDiscount(
                factor=criterion.discount[weight.discount].factor,
                because=explanation.discount_reason,
            ),
            because=explanation.because,
            grade=criterion.grade,
            citations=criterion.citations,
        )

    return remember_part(_list_read_names(criterion, question_ids), build)


def _list_read_names(criterion: Criterion, question_ids: Sequence[str]) -> tuple[str, ...]:
    """Return every question and derived value that the result of a criterion reads."""
    placeholders = (
        name for level in criterion.level for name in PLACEHOLDER.findall(level.finding)
    )
    discounts = [discount.when for discount in criterion.discount]
    return (*question_ids, *placeholders, *list_subjects(*discounts))


def _find_answer(facts: Facts, question: str) -> Any:
    """Return the answer that was sent; a question that does not apply has none."""
    answer = facts.get(question)
    return None if answer is NOT_ASKED else answer


def _verdict(weight: CriterionPoints) -> Literal["for", "against", "neutral", "unanswered"]:
    if weight.level is None:
        return "unanswered"
    return "for" if weight.points > 0 else "against" if weight.points < 0 else "neutral"
