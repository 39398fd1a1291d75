"""Reading: the fields of one step in, answers out; what was left open, and what is to be put right.

Unanswered is never no: what was not marked is no answer, and "none of these" is one.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from api.forms.form_model import NONE, SKIPPED, UNKNOWN, Asked, Step
from schemas.base import plain_number
from schemas.links import Left

LONGEST_NUMBER = 12
_LEFT: dict[str, Left] = {UNKNOWN: "unknown", SKIPPED: "skipped"}


class Reading(NamedTuple):
    """What a step's fields say: answers by question id, what was left open, faults by name."""

    answers: dict[str, Any]
    left: dict[str, Left]
    faults: dict[str, str]


class Marks(NamedTuple):
    """How a step's controls stand: what is marked, what is written."""

    marked: Mapping[str, frozenset[str]]
    written: Mapping[str, str]


def read(step: Step, fields: Mapping[str, list[str]]) -> Reading:
    """The fields as answers. A fault is the name of a phrase."""
    reading = Reading({}, {}, {})
    for asked in step.asked:
        sent = [each.strip() for each in fields.get(asked.name, []) if each.strip()]
        _read(asked, sent, reading)
    return reading


def sent_marks(step: Step, fields: Mapping[str, list[str]]) -> Marks:
    """The controls as they were sent."""
    names = [asked.name for asked in step.asked]
    return Marks(
        {name: frozenset(fields.get(name, ())) for name in names},
        {name: _number_in(fields.get(name, [])) for name in names},
    )


def kept_marks(step: Step, answers: Mapping[str, Any], left: Mapping[str, Left]) -> Marks:
    """The controls as they were kept."""
    marked: dict[str, frozenset[str]] = {}
    written: dict[str, str] = {}
    for asked in step.asked:
        answer = None if asked.unspoken else answers.get(asked.id)
        if asked.id in left:
            marked[asked.name] = frozenset({left[asked.id]})
        elif answer is not None and asked.control == "number":
            written[asked.name] = str(answer)
        elif answer is not None:
            marked[asked.name] = _marked(asked, answer)
    return Marks(marked, written)


def in_words(asked: Asked, answer: Any) -> list[str]:
    """The answer as it was given, in the words of the page; empty for none of several."""
    if asked.control == "number":
        return [str(answer)]
    given = list(answer) if isinstance(answer, list | tuple) else [answer]
    return [each.label for each in asked.choices if _is_in(each.answer, given)]


def _read(asked: Asked, sent: list[str], reading: Reading) -> None:
    alone = [each for each in sent if each in (NONE, UNKNOWN, SKIPPED)]
    if not sent:
        if asked.needed:
            reading.faults[asked.name] = "fault_needed"
    elif len(alone) > 1 or (alone and len(sent) > 1):
        reading.faults[asked.name] = "fault_alone"
    elif alone and alone[0] in _LEFT:
        if asked.needed and not (asked.unsure and alone[0] == UNKNOWN):
            reading.faults[asked.name] = "fault_needed"
        else:
            reading.left[asked.id] = _LEFT[alone[0]]
    elif asked.control == "number":
        _read_number(asked, sent[0], reading)
    else:
        _read_marks(asked, sent, reading)


def _read_marks(asked: Asked, sent: list[str], reading: Reading) -> None:
    by_value = {each.value: each.answer for each in asked.choices}
    if asked.control == "several" and sent == [NONE]:
        reading.answers[asked.id] = []
    elif not set(sent) <= by_value.keys() or (asked.control != "several" and len(sent) > 1):
        reading.faults[asked.name] = "fault_unknown"
    elif asked.control == "several":
        reading.answers[asked.id] = [each.answer for each in asked.choices if each.value in sent]
    else:
        reading.answers[asked.id] = by_value[sent[0]]


def _read_number(asked: Asked, text: str, reading: Reading) -> None:
    try:
        number = Decimal(text.replace(",", ".")) if len(text) <= LONGEST_NUMBER else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        reading.faults[asked.name] = "fault_number"
    elif not (asked.least or 0) <= number <= (asked.most or 0):
        reading.faults[asked.name] = "fault_range"
    elif asked.whole and number != number.to_integral_value():
        reading.faults[asked.name] = "fault_whole"
    else:
        reading.answers[asked.id] = plain_number(round(number, 2))


def _marked(asked: Asked, answer: Any) -> frozenset[str]:
    if answer in ([], ()):
        return frozenset({NONE})
    given = list(answer) if isinstance(answer, list | tuple) else [answer]
    return frozenset(each.value for each in asked.choices if _is_in(each.answer, given))


def _is_in(answer: Any, given: list[Any]) -> bool:
    """Whether it was given; true and 1 are not the same."""
    return any(type(each) is type(answer) and each == answer for each in given)


def _number_in(sent: list[str]) -> str:
    return next((each for each in sent if each not in (UNKNOWN, SKIPPED)), "")[:LONGEST_NUMBER]
