"""Ranks open questions by how far their criteria could still move the banded total."""

from collections.abc import Iterable, Sequence

from schemas.assessments.assessment import MissingAnswer
from schemas.rulebooks.rulebook import Question
from scoring.answers.intake_facts import IntakeFacts
from scoring.answers.question_dependencies import map_question_reads
from scoring.common_rules.weighed_intake import WeighedIntake
from scoring.compiled_rulebook import LoadedRulebook
from scoring.weighing import to_points

FIRST_QUESTIONS = 3
"""How many of the missing answers are named to be asked first."""


class MissingAnswerRules:
    """The open questions of one rulebook in the order in which they are worth asking."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        book = loaded.rulebook
        self._loaded = loaded
        self._must_answer = book.rulebook.must_answer
        self._candidates = [
            question
            for question in book.question
            if not question.optional and question.id not in self._must_answer
        ]
        self._reads = map_question_reads(book)

    def list_missing_answers(
        self, intake: IntakeFacts, weighed_intake: WeighedIntake
    ) -> tuple[MissingAnswer, ...]:
        """Return what must be answered, in its order, then the questions that could move anything.

        These come by swing, then the short form first, then in questionnaire order.
        """
        required = [
            MissingAnswer(question=name, swing=None)
            for name in self._must_answer
            if intake.is_open(name)
        ]
        swings = [
            (question, swing)
            for question in self._candidates
            if intake.is_open(question.id) and question.id not in intake.undecided
            if (swing := self._measure_swing(question, intake, weighed_intake)) is not None
        ]
        swings.sort(key=lambda pair: (-pair[1], not pair[0].core))
        return (
            *required,
            *(
                MissingAnswer(question=question.id, swing=to_points(swing))
                for question, swing in swings
            ),
        )

    def list_first_questions(
        self, missing: Sequence[MissingAnswer], *, changes_band: bool
    ) -> tuple[str, ...]:
        """Return the first three questions, only such as must be answered if no band changes."""
        names = [answer.question for answer in missing if changes_band or answer.swing is None]
        return tuple(names[:FIRST_QUESTIONS])

    def _measure_swing(
        self, question: Question, intake: IntakeFacts, weighed_intake: WeighedIntake
    ) -> int | None:
        """Return the hundredths between the ends of the question's criteria.

        All other criteria stay as they stand. None if no criterion could move its domain.
        """
        names = {question.id}
        names |= {name for name in intake.undecided if question.id in self._reads.asks[name]}
        by_levels, by_discounts = self._find_criteria(names, weighed_intake)
        if not any(self._can_move(weighed_intake, index) for index in (*by_levels, *by_discounts)):
            return None
        movable_criteria = [
            *by_levels,
            *(index for index in by_discounts if weighed_intake.criteria[index].level is not None),
        ]
        return self._total_at(weighed_intake, movable_criteria, "most") - self._total_at(
            weighed_intake, movable_criteria, "least"
        )

    def _find_criteria(
        self, names: set[str], weighed_intake: WeighedIntake
    ) -> tuple[list[int], list[int]]:
        """Return the criteria that the questions reach by levels, and those by discounts alone."""
        by_levels, by_discounts = [], []
        for index, weight in enumerate(weighed_intake.criteria):
            if weight.least == weight.most:
                continue
            if weight.level is None and not names.isdisjoint(self._reads.levels[index]):
                by_levels.append(index)
            elif any(
                not names.isdisjoint(self._reads.discounts[index][discount])
                for discount in weight.open_discounts
            ):
                by_discounts.append(index)
        return by_levels, by_discounts

    def _can_move(self, weighed_intake: WeighedIntake, criterion: int) -> bool:
        domain = self._loaded.adder.find_domain(criterion)
        return (
            weighed_intake.least.domain_points[domain] != weighed_intake.most.domain_points[domain]
        )

    def _total_at(self, weighed_intake: WeighedIntake, criteria: Iterable[int], side: str) -> int:
        weights = ((index, weighed_intake.criteria[index]) for index in criteria)
        changes = [(index, getattr(weight, side) - weight.points) for index, weight in weights]
        sums = self._loaded.adder.add_changes(weighed_intake.current, changes)
        return sums.totals[self._loaded.banded_total_index or 0]
