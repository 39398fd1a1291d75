"""Ranks missing answers by the width of the ranges of the criteria that read them."""

from collections import Counter
from collections.abc import Sequence

from schemas.assessments.assessment import MissingAnswer
from scoring.common_rules.score_parts import build_missing_answer
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.weighing import CriterionPoints


def list_missing_answers(
    loaded: LoadedRulebook, weights: Sequence[CriterionPoints], facts: Facts
) -> tuple[MissingAnswer, ...]:
    """Return the missing answers: required ones first, then by swing.

    The swing is the width of the range of the open criteria that read the question.
    """
    swings: Counter[str] = Counter()
    for weight, names in zip(weights, loaded.criterion_questions, strict=True):
        if weight.is_open:
            swings.update(dict.fromkeys(names, weight.most - weight.least))
    required = loaded.rulebook.rulebook.must_answer
    unanswered = [name for name in loaded.expected_questions if facts.get(name) is None]
    missing_required = [name for name in unanswered if name in required]
    optional_questions = [name for name in unanswered if name not in required and swings[name] > 0]
    optional_questions.sort(key=lambda name: -swings[name])
    return tuple(
        build_missing_answer(name, swings[name])
        for name in [*missing_required, *optional_questions]
    )
