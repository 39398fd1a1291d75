"""Ranks open questions by how far their criteria could still move the banded total."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from schemas.assessments.assessment import MissingAnswer
from schemas.rulebooks.rulebook import Question
from scoring.answers.intake_facts import IntakeFacts
from scoring.answers.question_dependencies import QuestionReads, map_question_reads
from scoring.common_rules.score_parts import build_missing_answer
from scoring.common_rules.weighed_intake import WeighedIntake
from scoring.compiled_rulebook import LoadedRulebook

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
        self._criteria_by_question = _list_readers(self._reads)

    def list_missing_answers(
        self, intake: IntakeFacts, weighed_intake: WeighedIntake
    ) -> tuple[MissingAnswer, ...]:
        """Return what must be answered, in its order, then the questions that could move anything.

        These come by swing, then the short form first, then in questionnaire order.
        """
        required = [
            build_missing_answer(name, None) for name in self._must_answer if intake.is_open(name)
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
            *(build_missing_answer(question.id, swing) for question, swing in swings),
        )

    def list_first_questions(
        self, missing: Sequence[MissingAnswer], *, changes_band: bool
    ) -> tuple[str, ...]:
        """Return the first three questions; only required ones if no answer can change the band."""
        names = [answer.question for answer in missing if changes_band or answer.swing is None]
        return tuple(names[:FIRST_QUESTIONS])

    def _measure_swing(
        self, question: Question, intake: IntakeFacts, weighed_intake: WeighedIntake
    ) -> int | None:
        """Return the hundredths between the ends of the question's criteria.

        All other criteria stay as they are. None if no criterion could move its domain.
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
    ) -> tuple[set[int], set[int]]:
        """Return the criteria that the questions reach by levels, and those by discounts alone."""
        by_levels, by_discounts = set(), set()
        for name in names:
            for index, discounts in self._criteria_by_question.get(name, ()):
                weight = weighed_intake.criteria[index]
                if weight.least == weight.most:
                    continue
                if discounts is None and weight.level is None:
                    by_levels.add(index)
                elif discounts and not discounts.isdisjoint(weight.open_discounts):
                    by_discounts.add(index)
        return by_levels, by_discounts - by_levels

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


def _list_readers(reads: QuestionReads) -> dict[str, list[tuple[int, frozenset[int] | None]]]:
    """Return the criteria that read each question: in levels, or in the discounts at these indexes.

    A criterion that reads it in both comes twice; None stands for its levels.
    """
    readers: defaultdict[str, list[tuple[int, frozenset[int] | None]]] = defaultdict(list)
    for index, (levels, discounts) in enumerate(zip(reads.levels, reads.discounts, strict=True)):
        for name in levels:
            readers[name].append((index, None))
        for name in frozenset[str]().union(*discounts):
            using = frozenset(n for n, questions in enumerate(discounts) if name in questions)
            readers[name].append((index, using))
    return dict(readers)
