"""A rulebook made ready: checked, named, and compiled once into functions of facts."""

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
    """The answers name a question that the rulebook does not ask. The caller must act."""


class LoadedRulebook:
    """One version of one instrument with its hash; every condition in it compiled."""

    def __init__(self, rulebook: Rulebook, sha256: str) -> None:
        self.rulebook = rulebook
        self.sha256 = sha256
        self.name = rulebook.rulebook.name
        self.questions = {question.id: question for question in rulebook.question}
        self.sources = {derived.id: derived for derived in rulebook.derived}
        self.explainer = Explainer(rulebook)
        self.weighers = [weigher(criterion, self.questions) for criterion in rulebook.criterion]
        self.adder = Adder(rulebook)
        self.domains = {domain.id: place for place, domain in enumerate(rulebook.domain)}
        self.banded = next((n for n, total in enumerate(rulebook.total) if total.banded), None)
        self.band_starts = [start for start in map(band_start, rulebook.band) if start is not None]
        self.read_by = [questions_weighed(each, self.sources) for each in rulebook.criterion]
        self.touched_by = [
            tuple(dict.fromkeys([*reads, *questions_discounting(each, self.sources)]))
            for each, reads in zip(rulebook.criterion, self.read_by, strict=True)
        ]
        self.shown = [
            shower(each, reads, self.questions, self.explainer)
            for each, reads in zip(rulebook.criterion, self.read_by, strict=True)
        ]
        self.by_clinician = self._asked(lambda question: question.who == "clinician")
        self.expected = self._asked(lambda question: not question.optional)
        self.asked_for_scope = [
            name
            for name in questions_read([rule.when for rule in rulebook.scope], self.sources)
            if name not in rulebook.rulebook.must_answer
        ]
        self._counts = [(each.id, counted(each, self.questions)) for each in rulebook.derived]
        self._orders = {
            question.id: {option.id: place for place, option in enumerate(question.options)}
            for question in rulebook.question
            if question.kind == "multi"
        }
        self._tests = {
            id(condition): test(condition, self.questions)
            for _, condition in blocks_with_conditions(rulebook)
        }

    def facts(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        """The answers, their options in questionnaire order, and what is counted from them.

        Raises UnknownQuestionError for an id that is not asked.
        """
        known: dict[str, Any] = {}
        for name, answer in answers.items():
            if name not in self.questions:
                raise UnknownQuestionError(f"{self.name} asks no question with the id given")
            if answer is not None:
                order = self._orders.get(name)
                known[name] = (
                    answer if order is None else tuple(sorted(answer, key=order.__getitem__))
                )
        for name, count in self._counts:
            known[name] = count(known)
        return known

    def weights(self, facts: Facts) -> list[Weight]:
        """What each criterion gives, in rulebook order."""
        return [weigh(facts) for weigh in self.weighers]

    def holds(self, condition: Condition, facts: Facts) -> bool | None:
        """Whether this condition of the rulebook is true, false or unknown."""
        return self._tests[id(condition)](facts)

    def _asked(self, wanted: Callable[[Question], bool]) -> list[str]:
        return [question.id for question in self.rulebook.question if wanted(question)]
