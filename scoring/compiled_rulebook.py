"""Compiles a validated rulebook once into functions of facts, for use by the engine."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.conditions import Condition
from schemas.rulebook import Question, Rulebook
from scoring.conditions import Facts, compile_condition
from scoring.criterion_results import compile_criterion_result
from scoring.derived_values import compile_derived_value
from scoring.explanation import ENGLISH_STYLE, Explainer, SentenceStyle
from scoring.validation.question_dependencies import (
    find_condition_questions,
    find_discount_questions,
    find_level_questions,
    iterate_conditions,
)
from scoring.weighing import CriterionPoints, PointsAdder, compile_criterion, find_band_start


class UnknownQuestionError(ValueError):
    """The answers contain a question id that the rulebook does not have. The caller must act."""


class LoadedRulebook:
    """One version of one instrument with its file's hash and its compiled conditions."""

    def __init__(
        self, rulebook: Rulebook, sha256: str, style: SentenceStyle = ENGLISH_STYLE
    ) -> None:
        self.rulebook = rulebook
        self.sha256 = sha256
        self.name = rulebook.rulebook.name
        self.instrument = rulebook.rulebook.instrument
        self.version = rulebook.rulebook.version
        criteria = rulebook.criterion
        self.questions = rulebook.questions_by_id
        self.derived_by_id = {derived.id: derived for derived in rulebook.derived}
        self.explainer = Explainer(rulebook, style)
        self.weighers = [compile_criterion(criterion, self.questions) for criterion in criteria]
        self.adder = PointsAdder(rulebook)
        self.domain_indexes = {domain.id: index for index, domain in enumerate(rulebook.domain)}
        self.banded_total_index = next(
            (n for n, total in enumerate(rulebook.total) if total.banded), None
        )
        self.band_starts = [
            start for start in map(find_band_start, rulebook.band) if start is not None
        ]
        self.level_questions = [
            find_level_questions(criterion, self.derived_by_id) for criterion in criteria
        ]
        self.criterion_questions = [
            tuple(dict.fromkeys([*reads, *find_discount_questions(criterion, self.derived_by_id)]))
            for criterion, reads in zip(criteria, self.level_questions, strict=True)
        ]
        self.result_builders = [
            compile_criterion_result(criterion, reads, self.questions, self.explainer)
            for criterion, reads in zip(criteria, self.level_questions, strict=True)
        ]
        self.clinician_questions = self._select_questions(
            lambda question: question.who == "clinician"
        )
        self.expected_questions = self._select_questions(lambda question: not question.optional)
        self.scope_questions = [
            name
            for name in find_condition_questions(
                [rule.when for rule in rulebook.scope], self.derived_by_id
            )
            if name not in rulebook.rulebook.must_answer
        ]
        urgency = {tier.id: index for index, tier in enumerate(rulebook.tier)}
        self.sorted_flags = sorted(
            rulebook.flag, key=lambda flag: (not flag.about_person, urgency[flag.tier])
        )
        """The red flags: concerns for the person first, then by urgency."""
        self._calculations = [
            (derived.id, compile_derived_value(derived, self.questions))
            for derived in rulebook.derived
        ]
        self._option_orders = {
            question.id: {option.id: index for index, option in enumerate(question.options)}
            for question in rulebook.question
            if question.kind == "multi"
        }
        self._tests = {
            id(condition): compile_condition(condition, self.questions)
            for _, condition in iterate_conditions(rulebook)
        }

    def derive_facts(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answers, with options in questionnaire order, and the derived values.

        Raises UnknownQuestionError.
        """
        facts: dict[str, Any] = {}
        for name, answer in answers.items():
            if name not in self.questions:
                raise UnknownQuestionError(f"{self.name} has no question with this id")
            if answer is not None:
                order = self._option_orders.get(name)
                facts[name] = (
                    answer if order is None else tuple(sorted(answer, key=order.__getitem__))
                )
        for name, calculate in self._calculations:
            facts[name] = calculate(facts)
        return facts

    def weigh_criteria(self, facts: Facts) -> list[CriterionPoints]:
        """Return the points of each criterion, in rulebook order."""
        return [weigh(facts) for weigh in self.weighers]

    def evaluate(self, condition: Condition, facts: Facts) -> bool | None:
        """Return whether a condition object of this rulebook is true, false or unknown (None)."""
        return self._tests[id(condition)](facts)

    def _select_questions(self, matches: Callable[[Question], bool]) -> list[str]:
        return [question.id for question in self.rulebook.question if matches(question)]
