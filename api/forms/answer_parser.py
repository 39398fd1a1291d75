"""Parse the submitted fields of one form step into answers, open questions and faults.

An unanswered question is never a "no": an empty field gives no answer, "none of these" gives one.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from api.forms.form_model import NONE, SKIPPED, UNKNOWN, FormQuestion, FormStep
from schemas.base import to_json_number
from schemas.links import OpenReason

MAX_NUMBER_LENGTH = 12
_OPEN_REASONS: dict[str, OpenReason] = {UNKNOWN: "unknown", SKIPPED: "skipped"}


class ParsedStep(NamedTuple):
    """The parsed fields of a step: answers and open questions by question id, faults by field."""

    answers: dict[str, Any]
    open_questions: dict[str, OpenReason]
    faults: dict[str, str]


class ControlState(NamedTuple):
    """The state of a step's controls by field name: the checked values and the entered text."""

    selected_options: Mapping[str, frozenset[str]]
    entered_text: Mapping[str, str]


def parse_step(step: FormStep, fields: Mapping[str, list[str]]) -> ParsedStep:
    """Parse the fields of a step. Each fault is the name of a phrase."""
    parsed_step = ParsedStep({}, {}, {})
    for question in step.questions:
        values = [value.strip() for value in fields.get(question.name, []) if value.strip()]
        _parse_question(question, values, parsed_step)
    return parsed_step


def fill_from_fields(step: FormStep, fields: Mapping[str, list[str]]) -> ControlState:
    """Return the controls as they were submitted."""
    names = [question.name for question in step.questions]
    return ControlState(
        {name: frozenset(fields.get(name, ())) for name in names},
        {name: _find_entered_number(fields.get(name, [])) for name in names},
    )


def fill_from_answers(
    step: FormStep, answers: Mapping[str, Any], open_questions: Mapping[str, OpenReason]
) -> ControlState:
    """Return the controls for saved answers; confidential answers stay blank."""
    selected_options: dict[str, frozenset[str]] = {}
    entered_text: dict[str, str] = {}
    for question in step.questions:
        answer = None if question.confidential else answers.get(question.id)
        if question.id in open_questions:
            selected_options[question.name] = frozenset({open_questions[question.id]})
        elif answer is not None and question.control == "number":
            entered_text[question.name] = str(answer)
        elif answer is not None:
            selected_options[question.name] = _select_values(question, answer)
    return ControlState(selected_options, entered_text)


def describe_answer(question: FormQuestion, answer: Any) -> list[str]:
    """Return the answer in the words of the page; empty for "none of these"."""
    if question.control == "number":
        return [str(answer)]
    answers = _as_list(answer)
    return [choice.label for choice in question.choices if _contains(answers, choice.answer)]


def _parse_question(question: FormQuestion, values: list[str], parsed_step: ParsedStep) -> None:
    exclusive = [value for value in values if value in (NONE, UNKNOWN, SKIPPED)]
    if not values:
        if question.required:
            parsed_step.faults[question.name] = "fault_needed"
    elif len(exclusive) > 1 or (exclusive and len(values) > 1):
        parsed_step.faults[question.name] = "fault_alone"
    elif exclusive and exclusive[0] in _OPEN_REASONS:
        if question.required and not (question.may_be_unsure and exclusive[0] == UNKNOWN):
            parsed_step.faults[question.name] = "fault_needed"
        else:
            parsed_step.open_questions[question.id] = _OPEN_REASONS[exclusive[0]]
    elif question.control == "number":
        _parse_number(question, values[0], parsed_step)
    else:
        _parse_choices(question, values, parsed_step)


def _parse_choices(question: FormQuestion, values: list[str], parsed_step: ParsedStep) -> None:
    answers_by_value = {choice.value: choice.answer for choice in question.choices}
    several = question.control == "several"
    if several and values == [NONE]:
        parsed_step.answers[question.id] = []
    elif not set(values) <= answers_by_value.keys() or (not several and len(values) > 1):
        parsed_step.faults[question.name] = "fault_unknown"
    elif several:
        parsed_step.answers[question.id] = [
            answer for value, answer in answers_by_value.items() if value in values
        ]
    else:
        parsed_step.answers[question.id] = answers_by_value[values[0]]


def _parse_number(question: FormQuestion, text: str, parsed_step: ParsedStep) -> None:
    try:
        number = Decimal(text.replace(",", ".")) if len(text) <= MAX_NUMBER_LENGTH else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        parsed_step.faults[question.name] = "fault_number"
    elif not (question.minimum or 0) <= number <= (question.maximum or 0):
        parsed_step.faults[question.name] = "fault_range"
    elif question.integer_only and number != number.to_integral_value():
        parsed_step.faults[question.name] = "fault_whole"
    else:
        parsed_step.answers[question.id] = to_json_number(round(number, 2))


def _select_values(question: FormQuestion, answer: Any) -> frozenset[str]:
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
    return any(type(item) is type(answer) and item == answer for item in answers)


def _find_entered_number(values: list[str]) -> str:
    numbers = (value for value in values if value not in (UNKNOWN, SKIPPED))
    return next(numbers, "")[:MAX_NUMBER_LENGTH]
