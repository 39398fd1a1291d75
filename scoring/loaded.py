"""A rulebook made ready: checked, named, and compiled once into functions of facts."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.assessment import AnswerValue
from schemas.conditions import Condition
from schemas.rulebook import Question, Rulebook
from scoring.conditions import Facts, Test, test
from scoring.derived import counted
from scoring.explanation import Explainer
from scoring.reading import questions_discounting, questions_weighed
from scoring.weighing import Weight, adder, weigher


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
        self.add_up = adder(rulebook)
        self.read_by = [questions_weighed(each, self.sources) for each in rulebook.criterion]
        self.touched_by = [
            tuple(dict.fromkeys([*reads, *questions_discounting(each, self.sources)]))
            for each, reads in zip(rulebook.criterion, self.read_by, strict=True)
        ]
        self.explained = [
            self.explainer.explains(each, reads)
            for each, reads in zip(rulebook.criterion, self.read_by, strict=True)
        ]
        self._counts = [(each.id, counted(each, self.questions)) for each in rulebook.derived]
        self._orders = {
            question.id: {option.id: place for place, option in enumerate(question.options)}
            for question in rulebook.question
            if question.kind == "multi"
        }
        self._tests: dict[int, tuple[Condition, Test]] = {}

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
        """Whether the condition is true, false or unknown."""
        kept = self._tests.get(id(condition))
        if kept is None:
            kept = self._tests[id(condition)] = (condition, test(condition, self.questions))
        return kept[1](facts)

    def answered(self, names: Iterable[str], facts: Facts) -> dict[str, AnswerValue | None]:
        """The answers to these questions, null where not answered."""
        return {name: facts.get(name) for name in names}

    def asked(self, wanted: Callable[[Question], bool]) -> list[str]:
        """Ids of the questions for which the claim holds, in questionnaire order."""
        return [question.id for question in self.rulebook.question if wanted(question)]
