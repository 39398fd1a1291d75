"""Reads answers into facts: options in questionnaire order, neutral answers and derived values.

A question that does not apply has its neutral answer among the facts, never among the answers
that were sent. Derived values that read a result of the assessment are left to its end.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.rulebooks.rulebook import Rulebook
from scoring.answers.derived_values import Calculation, compile_derived_value
from scoring.answers.question_dependencies import find_early_values, find_late_values
from scoring.conditions import Facts, compile_condition

NamedCalculation = tuple[str, Calculation]


class UnknownQuestionError(ValueError):
    """The answers contain a question id that the rulebook does not have. The caller must act."""


class IntakeFacts(NamedTuple):
    """What one intake says; `attested` means that a clinician is named for the clinician's part.

    `answers` are those that were sent. `not_asked` are the unanswered questions that do not
    apply, `undecided` those of which it is not known whether they do.
    """

    answers: Mapping[str, Any]
    facts: Facts
    not_asked: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    attested: bool = False

    def is_open(self, question: str) -> bool:
        """Return whether the question is unanswered and applies, or may apply."""
        return self.facts.get(question) is None and question not in self.not_asked


class FactReader:
    """Reads the answers to one rulebook."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook.rulebook.name
        self._questions = rulebook.questions_by_id
        self._option_orders = {
            question.id: {option.id: index for index, option in enumerate(question.options)}
            for question in rulebook.question
            if question.kind == "multi"
        }
        self._conditional = [
            (question, compile_condition(question.ask_when, self._questions))
            for question in rulebook.question
            if question.ask_when is not None
        ]
        late_ids, early_ids = find_late_values(rulebook), find_early_values(rulebook)
        self._late: list[NamedCalculation] = []
        self._before_neutrals: list[NamedCalculation] = []
        self._after_neutrals: list[NamedCalculation] = []
        for derived in rulebook.derived:
            calculations = (
                self._late
                if derived.id in late_ids
                else self._before_neutrals
                if derived.id in early_ids
                else self._after_neutrals
            )
            calculations.append((derived.id, compile_derived_value(derived, self._questions)))

    def read_answers(self, answers: Mapping[str, Any], *, attested: bool = False) -> IntakeFacts:
        """Return the facts of these answers. Raises UnknownQuestionError."""
        sorted_answers = self._sort_answers(answers)
        facts = dict(sorted_answers)
        _calculate(self._before_neutrals, facts)
        not_asked, undecided = [], []
        for question, is_asked in self._conditional:
            if question.id in sorted_answers:
                continue
            truth = is_asked(facts)
            if truth is None:
                undecided.append(question.id)
            elif truth is False:
                not_asked.append(question.id)
                if question.neutral is not None:
                    facts[question.id] = question.neutral
        _calculate(self._after_neutrals, facts)
        return IntakeFacts(sorted_answers, facts, tuple(not_asked), tuple(undecided), attested)

    def add_late_values(self, facts: Facts, results: Facts) -> Facts:
        """Return the facts with these results, and the derived values that read them."""
        complete = {**facts, **results}
        _calculate(self._late, complete)
        return complete

    def _sort_answers(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        sorted_answers: dict[str, Any] = {}
        for name, answer in answers.items():
            if name not in self._questions:
                raise UnknownQuestionError(f"{self._rulebook} has no question with this id")
            if answer is not None:
                order = self._option_orders.get(name)
                sorted_answers[name] = (
                    answer if order is None else tuple(sorted(answer, key=order.__getitem__))
                )
        return sorted_answers


def _calculate(values: list[NamedCalculation], facts: dict[str, Any]) -> None:
    for name, calculate in values:
        facts[name] = calculate(facts)
