"""Builds the result of one criterion: its answers, its points and the explanation."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from schemas.assessment import AppliedDiscount, WeighedCriterion
from schemas.rulebook import Criterion, Question
from scoring.conditions import Facts
from scoring.explanation import NOT_ASKED, PLACEHOLDER, Explainer
from scoring.weighing import CriterionPoints, find_enumerable_question, to_points

BuildResult = Callable[[CriterionPoints, Facts], WeighedCriterion]


def compile_criterion_result(
    criterion: Criterion,
    question_ids: Sequence[str],
    questions: Mapping[str, Question],
    explainer: Explainer,
    *,
    gives_open_points: bool = False,
) -> BuildResult:
    """Return a function that builds the criterion's result from its weight and the facts.

    An unanswered criterion has no points, or with `gives_open_points` those that are certain.
    Undiscounted results are cached if the levels and sentences depend on one question with few
    answers.
    """
    explain = explainer.compile_explanation(criterion, question_ids)

    def build(weight: CriterionPoints, facts: Facts) -> WeighedCriterion:
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

    question = find_enumerable_question(criterion, questions)
    placeholders = {
        name for level in criterion.level for name in PLACEHOLDER.findall(level.finding)
    }
    if question is None or not placeholders <= {question}:
        return build

    @cache
    def build_cached(weight: CriterionPoints, answer: Any) -> WeighedCriterion:
        return build(weight, {question: answer})

    def build_or_reuse(weight: CriterionPoints, facts: Facts) -> WeighedCriterion:
        if weight.discount is None:
            return build_cached(weight, facts.get(question))
        return build(weight, facts)

    return build_or_reuse


def _find_answer(facts: Facts, question: str) -> Any:
    """Return the answer that was sent; a question that does not concern has none."""
    answer = facts.get(question)
    return None if answer is NOT_ASKED else answer


def _verdict(weight: CriterionPoints) -> Literal["for", "against", "neutral", "unanswered"]:
    if weight.level is None:
        return "unanswered"
    return "for" if weight.points > 0 else "against" if weight.points < 0 else "neutral"
