"""Builds `enableWhen` of a questionnaire's item from the condition of its question.

An item is shown unless the condition is false: also while the answers that it reads are open. A
flat list of comparisons can't count or calculate, nor join alternatives in a conjunction. Of a
conjunction that it can't express, one part is used; otherwise the item is always shown. Either way
it is shown to everyone it applies to, and a design note says that it is shown to others too.
"""

from collections.abc import Iterable
from typing import NamedTuple

from api.fhir.elements import EXTENSION_BASE, Resource
from api.fhir.questionnaire_catalogue import QuestionnaireForm
from schemas.base import to_json_number
from schemas.rulebooks.conditions import (
    AllOf,
    AnyOf,
    AtLeast,
    AtMost,
    Condition,
    Includes,
    Is,
    OneOf,
    Statement,
)
from schemas.rulebooks.rulebook import Question

_DESIGN_NOTE = (
    "Concerns fewer people than see it: enableWhen can't express the whole condition. Leave it "
    "unanswered where it does not apply."
)


def build_display_condition(form: QuestionnaireForm, question: Question) -> Resource:
    """Return `enableWhen` with its behaviour, and a design note if it isn't the whole condition."""
    if question.ask_when is None:
        return {}
    display = _Translator(form).translate(question.ask_when)
    element: Resource = {}
    if display is None or not display.is_whole:
        note = {"url": f"{EXTENSION_BASE}/designNote", "valueMarkdown": _DESIGN_NOTE}
        element["extension"] = [note]
    if display is not None:
        element |= {"enableWhen": list(display.comparisons), "enableBehavior": "any"}
    return element


class _Display(NamedTuple):
    """Comparisons of which one must hold; `is_whole` unless a part of the condition is left out."""

    comparisons: tuple[Resource, ...]
    is_whole: bool = True


class _Translator:
    """Translates conditions for one form, which need not ask every question of its rulebook."""

    def __init__(self, form: QuestionnaireForm) -> None:
        self._form = form
        self._questions = {
            question.id: question
            for _, questions in form.questions_by_topic()
            for question in questions
        }
        self._derived = {derived.id: derived for derived in form.loaded.rulebook.derived}

    def translate(self, condition: Condition) -> _Display | None:
        """Return the comparisons, or None for a condition that they can't express."""
        match condition:
            case AllOf(all=parts):
                return self._translate_all(parts)
            case AnyOf(any=parts):
                return self._translate_any(parts)
            case Is(derived=str(name), is_=True) if (when := self._derived[name].when) is not None:
                return self.translate(when)
            case Is() | OneOf() | AtLeast() | AtMost() | Includes():
                return self._translate_statement(condition)
        return None

    def _translate_all(self, parts: Iterable[Condition]) -> _Display | None:
        """Return the first part that can be expressed."""
        displays = [self.translate(part) for part in parts]
        first = next((display for display in displays if display is not None), None)
        return first and first._replace(is_whole=first.is_whole and len(displays) == 1)

    def _translate_any(self, parts: Iterable[Condition]) -> _Display | None:
        comparisons: dict[str, Resource] = {}
        is_whole = True
        for part in parts:
            display = self.translate(part)
            if display is None:
                return None
            comparisons |= {str(comparison): comparison for comparison in display.comparisons}
            is_whole = is_whole and display.is_whole
        return _Display(tuple(comparisons.values()), is_whole)

    def _translate_statement(self, statement: Statement) -> _Display | None:
        question = self._questions.get(statement.question or "")
        if question is None:
            return None
        is_open = {"operator": "exists", "answerBoolean": False}
        comparisons = (is_open, *self._list_comparisons(question, statement))
        return _Display(tuple({"question": question.id} | item for item in comparisons))

    def _list_comparisons(self, question: Question, statement: Statement) -> list[Resource]:
        """Return the comparisons by which the statement is true."""
        match statement:
            case AtLeast(at_least=number):
                return [{"operator": ">=", _number_element(question): to_json_number(number)}]
            case AtMost(at_most=number):
                return [{"operator": "<=", _number_element(question): to_json_number(number)}]
            case Is(is_=bool(value)):
                return [{"operator": "=", "answerBoolean": value}]
        system = self._form.urls.option_system(self._form.entry.instrument, question.id)
        return [
            {"operator": "=", "answerCoding": {"system": system, "code": option}}
            for option in _list_options(question, statement)
        ]


def _list_options(question: Question, statement: Statement) -> Iterable[str]:
    """Return the options that make the statement true, those of groups included."""
    match statement:
        case OneOf(one_of=options):
            return options
        case Includes(includes=names):
            groups = question.groups
            return dict.fromkeys(option for name in names for option in groups.get(name, (name,)))
        case Is(is_=str(option)):
            return (option,)
    return ()


def _number_element(question: Question) -> str:
    return f"answer{question.kind.title()}"
