"""Compiles a validated rulebook once into functions of facts, for use by the engine."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.conditions import Condition
from schemas.rulebook import Question, Rulebook
from scoring.conditions import Facts, test
from scoring.criterion_results import shower
from scoring.derived_values import counted
from scoring.explanation import Explainer
from scoring.validation.question_dependencies import (
    blocks_with_conditions,
    questions_discounting,
    questions_read,
    questions_weighed,
)
from scoring.weighing import Adder, Weight, band_start, weigher


class UnknownQuestionError(ValueError):
    """The answers contain a question id that the rulebook does not have. The caller must act."""


class LoadedRulebook:
    """One version of one instrument with its file's hash and its compiled conditions."""

    def __init__(self, rulebook: Rulebook, sha256: str) -> None:
        self.rulebook = rulebook
        self.sha256 = sha256
        self.name = rulebook.rulebook.name
        criteria = rulebook.criterion
        self.questions = {question.id: question for question in rulebook.question}
        self.sources = {derived.id: derived for derived in rulebook.derived}
        self.explainer = Explainer(rulebook)
        self.weighers = [weigher(criterion, self.questions) for criterion in criteria]
        self.adder = Adder(rulebook)
        self.domains = {domain.id: index for index, domain in enumerate(rulebook.domain)}
        self.banded = next((n for n, total in enumerate(rulebook.total) if total.banded), None)
        self.band_starts = [start for start in map(band_start, rulebook.band) if start is not None]
        self.read_by = [questions_weighed(criterion, self.sources) for criterion in criteria]
        self.touched_by = [
            tuple(dict.fromkeys([*reads, *questions_discounting(criterion, self.sources)]))
            for criterion, reads in zip(criteria, self.read_by, strict=True)
        ]
        self.shown = [
            shower(criterion, reads, self.questions, self.explainer)
            for criterion, reads in zip(criteria, self.read_by, strict=True)
        ]
        self.by_clinician = self._select_questions(lambda question: question.who == "clinician")
        self.expected = self._select_questions(lambda question: not question.optional)
        self.asked_for_scope = [
            name
            for name in questions_read([rule.when for rule in rulebook.scope], self.sources)
            if name not in rulebook.rulebook.must_answer
        ]
        self._calculations = [
            (derived.id, counted(derived, self.questions)) for derived in rulebook.derived
        ]
        self._option_orders = {
            question.id: {option.id: index for index, option in enumerate(question.options)}
            for question in rulebook.question
            if question.kind == "multi"
        }
        self._tests = {
            id(condition): test(condition, self.questions)
            for _, condition in blocks_with_conditions(rulebook)
        }

    def facts(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answers, with options in questionnaire order, and the derived values.

        Raises UnknownQuestionError.
        """
        facts: dict[str, Any] = {}
        for name, answer in answers.items():
            if name not in self.questions:
                raise UnknownQuestionError(f"{self.name} asks no question with the id given")
            if answer is not None:
                order = self._option_orders.get(name)
                facts[name] = (
                    answer if order is None else tuple(sorted(answer, key=order.__getitem__))
                )
        for name, calculate in self._calculations:
            facts[name] = calculate(facts)
        return facts

    def weights(self, facts: Facts) -> list[Weight]:
        """Return the points of each criterion, in rulebook order."""
        return [weigh(facts) for weigh in self.weighers]

    def holds(self, condition: Condition, facts: Facts) -> bool | None:
        """Return whether a condition object of this rulebook is true, false or unknown (None)."""
        return self._tests[id(condition)](facts)

    def _select_questions(self, matches: Callable[[Question], bool]) -> list[str]:
        return [question.id for question in self.rulebook.question if matches(question)]
