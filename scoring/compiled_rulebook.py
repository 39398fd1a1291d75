"""Compiles a validated rulebook once into functions of facts, for use by the engine."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.rulebooks.conditions import Condition
from schemas.rulebooks.rulebook import Question, Rulebook
from scoring.answers.intake_facts import FactReader, IntakeFacts
from scoring.answers.question_dependencies import (
    find_condition_questions,
    find_discount_questions,
    find_level_questions,
    iterate_conditions,
)
from scoring.conditions import Facts, compile_condition
from scoring.criterion_results import compile_criterion_result
from scoring.explanation import ENGLISH_STYLE, Explainer, SentenceStyle
from scoring.weighing import CriterionPoints, PointsAdder, compile_criterion, find_band_start


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
        certain = rulebook.rulebook.counts_certain_points
        self.questions = rulebook.questions_by_id
        self.derived_by_id = {derived.id: derived for derived in rulebook.derived}
        self.explainer = Explainer(rulebook, style)
        self.reader = FactReader(rulebook)
        self.weighers = [
            compile_criterion(criterion, self.questions, counts_certain_points=certain)
            for criterion in criteria
        ]
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
            compile_criterion_result(criterion, reads, self.explainer, gives_open_points=certain)
            for criterion, reads in zip(criteria, self.level_questions, strict=True)
        ]
        self.clinician_questions = self._select_questions(
            lambda question: question.who == "clinician"
        )
        self.expected_questions = self._select_questions(lambda question: not question.optional)
        self.scope_questions = [*rulebook.rulebook.scope_questions] or [
            name
            for name in find_condition_questions(
                [rule.when for rule in rulebook.scope], self.derived_by_id
            )
            if name not in rulebook.rulebook.must_answer
        ]
        self._tests = {
            id(condition): compile_condition(condition, self.questions)
            for _, condition in iterate_conditions(rulebook)
        }

    def read_answers(self, answers: Mapping[str, Any], *, attested: bool = False) -> IntakeFacts:
        """Return the facts of these answers. Raises UnknownQuestionError."""
        return self.reader.read_answers(answers, attested=attested)

    def derive_facts(self, answers: Mapping[str, Any]) -> Facts:
        """Return the answers, neutral answers and derived values. Raises UnknownQuestionError."""
        return self.reader.read_answers(answers).facts

    def weigh_criteria(self, facts: Facts) -> list[CriterionPoints]:
        """Return the points of each criterion, in rulebook order."""
        return [weigh(facts) for weigh in self.weighers]

    def evaluate(self, condition: Condition, facts: Facts) -> bool | None:
        """Return whether a condition object of this rulebook is true, false or unknown (None)."""
        return self._tests[id(condition)](facts)

    def _select_questions(self, matches: Callable[[Question], bool]) -> list[str]:
        return [question.id for question in self.rulebook.question if matches(question)]
