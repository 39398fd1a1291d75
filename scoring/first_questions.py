"""Chooses the questions that a clinician should answer first.

The second generation of rules names them in the assessment. For the first one they are the
must-answers, then those whose answer alone moves the banded total most.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pydantic import MISSING

from schemas.assessments.assessment import Assessment
from schemas.rulebooks.rulebook import Question
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess

MAX_QUESTIONS = 3
_MAX_TRIED = 12


def choose_first_questions(
    loaded: LoadedRulebook, answers: Mapping[str, Any], assessment: Assessment
) -> tuple[str, ...]:
    """Return the ids of at most three unanswered questions; none where the result is withheld."""
    if assessment.ask_first is not MISSING:
        return assessment.ask_first or ()
    missing = [item.question for item in assessment.missing or ()]
    required = [name for name in missing if name in loaded.rulebook.rulebook.must_answer]
    other_questions = [name for name in missing if name not in required][:_MAX_TRIED]
    effects = {name: _measure_effect(loaded, answers, name) for name in other_questions}
    return (*required, *sorted(other_questions, key=lambda name: -effects[name]))[:MAX_QUESTIONS]


def _measure_effect(loaded: LoadedRulebook, answers: Mapping[str, Any], name: str) -> Decimal:
    """Return the difference between the most and the least banded total over the answers."""
    question = loaded.rulebook.questions_by_id[name]
    banded = next((total.id for total in loaded.rulebook.total if total.banded), None)
    assessments = (assess(loaded, {**answers, name: it}) for it in _list_answers(question))
    points = [it.totals[banded].points for it in assessments if it.totals and banded in it.totals]
    return max(points) - min(points) if points else Decimal(0)


def _list_answers(question: Question) -> Iterator[Any]:
    match question.kind:
        case "boolean":
            yield from (True, False)
        case "choice":
            yield from (option.id for option in question.options)
        case "multi":
            yield from ([], *([option.id] for option in question.options))
        case _:
            yield from (question.minimum, question.maximum)
