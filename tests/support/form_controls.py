"""The controls of a patient's form, found by the ids of its questions and options.

A form names them by their positions, which every version of a rulebook may move.
"""

from functools import cache
from typing import Any

from api.forms.form_model import (
    NONE,
    NOT_CONCERNED,
    SKIPPED,
    UNKNOWN,
    FormOptions,
    FormQuestion,
    IntakeForm,
    build_form,
)
from scoring.catalogue import load_catalogue

NOCIPLASTIC = "nociplastic"
RED_FLAG_GROUPS = (
    "rf_spine_and_nerves",
    "rf_head_and_face",
    "rf_chest_and_abdomen",
    "rf_limbs_and_joints",
    "rf_general",
)
"""The questions about red flags that must be answered before the answers can be sent."""


@cache
def load_form(rulebook: str = NOCIPLASTIC) -> IntakeForm:
    """Return every step of the form for patients; of an instrument, that of its newest version."""
    options = FormOptions("patient", "en", adversity_consent=True)
    return build_form(load_catalogue().find_active(rulebook), options)


def find_control(question: str, rulebook: str = NOCIPLASTIC) -> FormQuestion:
    """Return the control of a question."""
    return next(it for it in load_form(rulebook).questions if it.id == question)


def find_step(question: str, rulebook: str = NOCIPLASTIC) -> int:
    """Return the number of the step that asks a question."""
    steps = enumerate(load_form(rulebook).steps, 1)
    return next(n for n, step in steps if question in [it.id for it in step.questions])


def find_consent_step(rulebook: str = NOCIPLASTIC) -> int:
    """Return the number of the step that asks whether adversity may be asked about."""
    return next(n for n, step in enumerate(load_form(rulebook).steps, 1) if step.asks_consent)


def name_control(question: str, rulebook: str = NOCIPLASTIC) -> str:
    """Return the name of the control of a question."""
    return find_control(question, rulebook).name


def name_option(question: str, answer: str | bool | int, rulebook: str = NOCIPLASTIC) -> str:
    """Return the value of the option with this answer; `none`, `unknown` and so on are values."""
    control = find_control(question, rulebook)
    values = {(type(it.answer), it.answer): it.value for it in control.choices}
    if answer in (NONE, UNKNOWN, SKIPPED, NOT_CONCERNED):
        return values.get((str, answer), str(answer))
    return values[type(answer), answer]


def build_option_id(question: str, answer: str | bool | int, rulebook: str = NOCIPLASTIC) -> str:
    """Return the id of the element of an option: the first one has the name of its control."""
    control, value = find_control(question, rulebook), name_option(question, answer, rulebook)
    values = [choice.value for choice in control.choices]
    suffix = values.index(value) if value in values else value
    return f"{control.name}-{suffix}" if suffix else control.name


def build_fields(**answers: Any) -> dict[str, Any]:
    """Return the fields that give these answers to questions of the newest nociplastic."""
    return {
        name_control(question): _build_field(question, answer)
        for question, answer in answers.items()
    }


def _build_field(question: str, answer: Any) -> str | list[str]:
    if find_control(question).control in ("number", "duration"):
        return str(answer)
    if isinstance(answer, list):
        return [name_option(question, item) for item in answer]
    return name_option(question, answer)
