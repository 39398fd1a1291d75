"""One criterion as it is shown: what was answered, what it gives, and why."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from schemas.assessment import AppliedDiscount, WeighedCriterion
from schemas.rulebook import Criterion, Question
from scoring.conditions import Facts
from scoring.explanation import PLACE, Explainer
from scoring.weighing import Weight, closed, exact

Show = Callable[[Weight, Facts], WeighedCriterion]


def shower(
    criterion: Criterion,
    reads: Sequence[str],
    questions: Mapping[str, Question],
    explainer: Explainer,
) -> Show:
    """The criterion with its answers and its sentence, as a function of its weight and the facts.

    Where one question with few answers is read and told, and nothing discounts it, little can be
    said: each such line is made once and kept.
    """
    explain = explainer.explains(criterion, reads)

    def show(weight: Weight, facts: Facts) -> WeighedCriterion:
        level = None if weight.level is None else criterion.level[weight.level]
        said = explain(weight, facts)
        return WeighedCriterion(
            id=criterion.id,
            domain=criterion.domain,
            label=criterion.label,
            verdict=_verdict(weight),
            answers={name: facts.get(name) for name in reads},
            level=level.id if level else None,
            points=exact(weight.points) if level else None,
            full_points=exact(weight.full) if level else None,
            discount=None
            if weight.discount is None
            else AppliedDiscount(
                factor=criterion.discount[weight.discount].factor, because=said.discounted_because
            ),
            because=said.because,
            grade=criterion.grade,
            citations=criterion.citations,
        )

    question = closed(criterion, questions)
    told = {name for level in criterion.level for name in PLACE.findall(level.finding)}
    if question is None or not told <= {question}:
        return show

    @cache
    def kept(weight: Weight, answer: Any) -> WeighedCriterion:
        return show(weight, {question: answer})

    def shown(weight: Weight, facts: Facts) -> WeighedCriterion:
        if weight.discount is None:
            return kept(weight, facts.get(question))
        return show(weight, facts)

    return shown


def _verdict(weight: Weight) -> Literal["for", "against", "neutral", "unanswered"]:
    if weight.level is None:
        return "unanswered"
    return "for" if weight.points > 0 else "against" if weight.points < 0 else "neutral"
