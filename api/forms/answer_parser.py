"""Parse the submitted fields of one form step into answers, open questions and faults.

An unanswered question is never a "no": an empty field gives no answer, "none of these" gives one.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from api.forms.form_model import (
    NONE,
    NOT_CONCERNED,
    SKIPPED,
    UNKNOWN,
    YEARS_SUFFIX,
    FormQuestion,
    FormStep,
)
from schemas.base import to_json_number
from schemas.patients.links import Draft, OpenReason
from schemas.text import FORBIDDEN

MAX_NUMBER_LENGTH = 12
MAX_ENTERED_VALUES = 60
_PLAIN_NUMBER = re.compile(r"-?\d+([.,]\d{1,2})?")
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


def parse_step(
    step: FormStep, fields: Mapping[str, Sequence[str]], answers: Mapping[str, Any] | None = None
) -> ParsedStep:
    """Parse the fields of a step. Each fault is the name of a phrase.

    `answers` are those to other steps, which an answer to this one may not contradict.
    """
    parsed_step = ParsedStep({}, {}, {})
    for question in step.questions:
        values = _list_values(fields, question.name)
        if question.control == "duration":
            years = _list_values(fields, question.name + YEARS_SUFFIX)
            values = [*values, *(word for word in years if word in _OPEN_REASONS)]
            if _parse_duration(question, years, values, parsed_step):
                continue
        _parse_question(question, values, parsed_step)
    for question in step.questions:
        if question.within_age:
            _check_age(question, {**(answers or {}), **parsed_step.answers}, parsed_step)
    return parsed_step


def select_entered(
    step: FormStep, fields: Mapping[str, Sequence[str]], faults: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Return what was entered in the faulty questions, so that it can be shown again.

    A text that is cut off stays too long to be a number, and a forbidden character is replaced by
    one that is in no number.
    """
    return {
        name: tuple(
            FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value[: MAX_NUMBER_LENGTH + 1])
            for value in fields.get(name, ())[:MAX_ENTERED_VALUES]
        )
        for question in step.questions
        if question.name in faults
        for name in question.text_names
    }


def find_faults(
    step: FormStep, entered_fields: Mapping[str, Sequence[str]], answers: Mapping[str, Any]
) -> dict[str, str]:
    """Return the faults of what was entered and kept, by field."""
    faulty = tuple(question for question in step.questions if question.name in entered_fields)
    return parse_step(step._replace(questions=faulty), entered_fields, answers).faults


def fill_from_fields(step: FormStep, fields: Mapping[str, Sequence[str]]) -> ControlState:
    """Return the controls as they were submitted."""
    names = [name for question in step.questions for name in question.text_names]
    return ControlState(
        {name: frozenset(fields.get(name, ())) for name in names},
        {name: _find_entered_number(fields.get(name, [])) for name in names},
    )


def fill_from_draft(step: FormStep, draft: Draft) -> ControlState:
    """Return the controls for a draft: its answers, or what was entered and is not valid."""
    control_state = fill_from_answers(step, draft.answers, draft.left)
    entered_state = fill_from_fields(step, draft.entered)
    names = draft.entered.keys() & entered_state.selected_options.keys()
    return ControlState(
        {
            **control_state.selected_options,
            **{name: entered_state.selected_options[name] for name in names},
        },
        {
            **control_state.entered_text,
            **{name: entered_state.entered_text[name] for name in names},
        },
    )


def fill_from_answers(
    step: FormStep, answers: Mapping[str, Any], open_questions: Mapping[str, OpenReason]
) -> ControlState:
    """Return the controls for saved answers; confidential answers stay blank."""
    selected_options: dict[str, frozenset[str]] = {}
    entered_text: dict[str, str] = {}
    for question in step.questions:
        is_blank = question.confidential or question.never_prefilled
        answer = None if is_blank else answers.get(question.id)
        if question.id in open_questions:
            selected_options[question.name] = frozenset({UNKNOWN})
        elif answer is not None and question.control == "number":
            entered_text[question.name] = str(answer)
        elif answer is not None and question.control == "duration":
            years, months = _split_duration(answer)
            entered_text[question.name + YEARS_SUFFIX] = str(years)
            entered_text[question.name] = str(months)
        elif answer is not None:
            selected_options[question.name] = _select_values(question, answer)
    return ControlState(selected_options, entered_text)


def describe_answer(question: FormQuestion, answer: Any) -> list[str]:
    """Return the answer in the words of the page; empty for "none of these"."""
    if question.control == "number":
        return [str(answer)]
    if question.control == "duration" and question.end_labels:
        return [
            f"{label}: {number}"
            for label, number in zip(question.end_labels, _split_duration(answer), strict=True)
        ]
    answers = _as_list(answer)
    return [choice.label for choice in question.choices if _contains(answers, choice.answer)]


def _list_values(fields: Mapping[str, Sequence[str]], name: str) -> list[str]:
    return [value.strip() for value in fields.get(name, []) if value.strip()]


def _check_age(question: FormQuestion, answers: Mapping[str, Any], parsed_step: ParsedStep) -> None:
    """Refuse more months than a person of this age has lived."""
    age, months = answers.get(question.within_age or ""), parsed_step.answers.get(question.id)
    if age is not None and months is not None and months >= (age + 1) * 12:
        del parsed_step.answers[question.id]
        parsed_step.faults[question.name] = "fault_longer_than_age"


def _parse_duration(
    question: FormQuestion, years: list[str], months: list[str], parsed_step: ParsedStep
) -> bool:
    """Parse years and months into months; return False if nothing was entered as a number."""
    if not years and not months:
        return False
    if any(value in _OPEN_REASONS for value in (*years, *months)):
        return False
    year_count, month_count = (
        _read_number(values[0]) if values else Decimal(0) for values in (years, months)
    )
    if year_count is None or month_count is None or year_count < 0 or month_count < 0:
        parsed_step.faults[question.name] = "fault_duration"
        return True
    total = round(year_count * 12 + month_count, 2)
    if total > (question.maximum or 0):
        parsed_step.faults[question.name] = "fault_duration"
    else:
        parsed_step.answers[question.id] = to_json_number(total)
    return True


def _split_duration(months: float | Decimal) -> tuple[int, int | float]:
    """Return whole years, and the months besides."""
    years, rest = divmod(Decimal(str(months)), 12)
    return int(years), to_json_number(rest)


def _read_number(text: str) -> Decimal | None:
    """Return the number; None unless it is in plain digits, with at most two decimals."""
    if len(text) > MAX_NUMBER_LENGTH or not _PLAIN_NUMBER.fullmatch(text):
        return None
    return Decimal(text.replace(",", "."))


def _parse_question(question: FormQuestion, values: list[str], parsed_step: ParsedStep) -> None:
    exclusive = [value for value in values if value in (NONE, UNKNOWN, SKIPPED, NOT_CONCERNED)]
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
    elif question.offers_not_concerned and values == [NOT_CONCERNED]:
        parsed_step.answers[question.id] = False
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
    number = _read_number(text)
    if number is None:
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


def _find_entered_number(values: Sequence[str]) -> str:
    numbers = (value for value in values if value not in (UNKNOWN, SKIPPED))
    return next(numbers, "")[:MAX_NUMBER_LENGTH]
