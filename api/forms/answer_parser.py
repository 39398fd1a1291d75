"""Parse the submitted fields of one form step into answers, open questions and faults.

An unanswered question is never a "no": an empty field gives no answer, "none of these" gives one.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from api.forms.form_model import NONE, SKIPPED, UNKNOWN, Asked, Step
from schemas.base import plain_number
from schemas.links import Left

LONGEST_NUMBER = 12
_OPEN_REASONS: dict[str, Left] = {UNKNOWN: "unknown", SKIPPED: "skipped"}


class Reading(NamedTuple):
    """The parsed fields of a step: answers and open questions by question id, faults by field."""

    answers: dict[str, Any]
    left: dict[str, Left]
    faults: dict[str, str]


class Marks(NamedTuple):
    """The state of a step's controls by field name: the checked values and the entered text."""

    marked: Mapping[str, frozenset[str]]
    written: Mapping[str, str]


def read(step: Step, fields: Mapping[str, list[str]]) -> Reading:
    """Parse the fields of a step. Each fault is the name of a phrase."""
    reading = Reading({}, {}, {})
    for question in step.asked:
        values = [value.strip() for value in fields.get(question.name, []) if value.strip()]
        _parse_question(question, values, reading)
    return reading


def sent_marks(step: Step, fields: Mapping[str, list[str]]) -> Marks:
    """Return the controls as they were submitted."""
    names = [question.name for question in step.asked]
    return Marks(
        {name: frozenset(fields.get(name, ())) for name in names},
        {name: _entered_number(fields.get(name, [])) for name in names},
    )


def kept_marks(step: Step, answers: Mapping[str, Any], left: Mapping[str, Left]) -> Marks:
    """Return the controls for saved answers; confidential answers stay blank."""
    checked: dict[str, frozenset[str]] = {}
    entered: dict[str, str] = {}
    for question in step.asked:
        answer = None if question.unspoken else answers.get(question.id)
        if question.id in left:
            checked[question.name] = frozenset({left[question.id]})
        elif answer is not None and question.control == "number":
            entered[question.name] = str(answer)
        elif answer is not None:
            checked[question.name] = _checked_values(question, answer)
    return Marks(checked, entered)


def in_words(asked: Asked, answer: Any) -> list[str]:
    """Return the answer in the words of the page; empty for "none of these"."""
    if asked.control == "number":
        return [str(answer)]
    answers = _as_list(answer)
    return [choice.label for choice in asked.choices if _contains(answers, choice.answer)]


def _parse_question(question: Asked, values: list[str], reading: Reading) -> None:
    exclusive = [value for value in values if value in (NONE, UNKNOWN, SKIPPED)]
    if not values:
        if question.needed:
            reading.faults[question.name] = "fault_needed"
    elif len(exclusive) > 1 or (exclusive and len(values) > 1):
        reading.faults[question.name] = "fault_alone"
    elif exclusive and exclusive[0] in _OPEN_REASONS:
        if question.needed and not (question.unsure and exclusive[0] == UNKNOWN):
            reading.faults[question.name] = "fault_needed"
        else:
            reading.left[question.id] = _OPEN_REASONS[exclusive[0]]
    elif question.control == "number":
        _parse_number(question, values[0], reading)
    else:
        _parse_choices(question, values, reading)


def _parse_choices(question: Asked, values: list[str], reading: Reading) -> None:
    answers_by_value = {choice.value: choice.answer for choice in question.choices}
    several = question.control == "several"
    if several and values == [NONE]:
        reading.answers[question.id] = []
    elif not set(values) <= answers_by_value.keys() or (not several and len(values) > 1):
        reading.faults[question.name] = "fault_unknown"
    elif several:
        reading.answers[question.id] = [
            answer for value, answer in answers_by_value.items() if value in values
        ]
    else:
        reading.answers[question.id] = answers_by_value[values[0]]


def _parse_number(question: Asked, text: str, reading: Reading) -> None:
    try:
        number = Decimal(text.replace(",", ".")) if len(text) <= LONGEST_NUMBER else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        reading.faults[question.name] = "fault_number"
    elif not (question.least or 0) <= number <= (question.most or 0):
        reading.faults[question.name] = "fault_range"
    elif question.whole and number != number.to_integral_value():
        reading.faults[question.name] = "fault_whole"
    else:
        reading.answers[question.id] = plain_number(round(number, 2))


def _checked_values(question: Asked, answer: Any) -> frozenset[str]:
    if answer in ([], ()):
        return frozenset({NONE})
    answers = _as_list(answer)
    return frozenset(
        choice.value for choice in question.choices if _contains(answers, choice.answer)
    )


def _as_list(answer: Any) -> list[Any]:
    return list(answer) if isinstance(answer, list | tuple) else [answer]


def _contains(answers: list[Any], answer: Any) -> bool:
    """Compare by type as well: True and 1 are different answers."""
    return any(type(other) is type(answer) and other == answer for other in answers)


def _entered_number(values: list[str]) -> str:
    return next((value for value in values if value not in (UNKNOWN, SKIPPED)), "")[:LONGEST_NUMBER]
