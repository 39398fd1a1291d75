"""Builds the result of one criterion: its answers, its points and the explanation."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal

from schemas.assessments.assessment import AppliedDiscount, WeighedCriterion
from schemas.rulebooks.conditions import iterate_statements
from schemas.rulebooks.rulebook import Criterion
from scoring.conditions import Facts
from scoring.explanation import NOT_ASKED, PLACEHOLDER, Explainer
from scoring.weighing import CriterionPoints, to_points

REMEMBERED_RESULTS = 256
_REUSABLE_TYPES = frozenset({type(None), type(NOT_ASKED), bool, int, str, tuple})
"""Types whose equal values read the same, which 5.0 and 5 do not; tuples hold option ids."""
BuildResult = Callable[[CriterionPoints, Facts], WeighedCriterion]


def compile_criterion_result(
    criterion: Criterion,
    question_ids: Sequence[str],
    explainer: Explainer,
    *,
    gives_open_points: bool = False,
) -> BuildResult:
    """Return a function that builds the criterion's result from its weight and the facts.

    An unanswered criterion has no points, or with `gives_open_points` those that are certain.
    The latest results are remembered by the weight and by every answer that their sentences read.
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

    names = _list_read_names(criterion, question_ids)

    @lru_cache(REMEMBERED_RESULTS)
    def build_from_values(
        weight: CriterionPoints, values: tuple[Any, ...], _types: tuple[type, ...]
    ) -> WeighedCriterion:
        return build(weight, dict(zip(names, values, strict=True)))

    def build_or_reuse(weight: CriterionPoints, facts: Facts) -> WeighedCriterion:
        values = tuple([facts.get(name) for name in names])
        types = tuple([type(value) for value in values])
        if _REUSABLE_TYPES.issuperset(types):
            return build_from_values(weight, values, types)
        return build(weight, facts)

    return build_or_reuse


def _list_read_names(criterion: Criterion, question_ids: Sequence[str]) -> tuple[str, ...]:
    """Return every question and derived value that the result of a criterion reads."""
    placeholders = (
        name for level in criterion.level for name in PLACEHOLDER.findall(level.finding)
    )
    subjects = (
        statement.subject
        for discount in criterion.discount
        for statement in iterate_statements(discount.when)
    )
    return tuple(dict.fromkeys([*question_ids, *placeholders, *subjects]))


def _find_answer(facts: Facts, question: str) -> Any:
    """Return the answer that was sent; a question that does not concern has none."""
    answer = facts.get(question)
    return None if answer is NOT_ASKED else answer


def _verdict(weight: CriterionPoints) -> Literal["for", "against", "neutral", "unanswered"]:
    if weight.level is None:
        return "unanswered"
    return "for" if weight.points > 0 else "against" if weight.points < 0 else "neutral"
