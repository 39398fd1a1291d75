"""Checks by trial that a neutral answer gives the same points as an open question.

Answers are drawn until `ask_when` was false often enough, to the questions that matter alone. The
draws are seeded: a rulebook always gets the same ones.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from random import Random
from typing import Any

from schemas.rulebooks.rulebook import Criterion, Question, Rulebook
from scoring.answers.intake_facts import FactReader
from scoring.answers.question_dependencies import (
    find_condition_questions,
    find_discount_questions,
    find_level_questions,
)
from scoring.validation.reference_checks import Faults
from scoring.weighing import compile_criterion

TRIALS = 2_000
MAX_DRAWS = 20 * TRIALS
SHARE_ANSWERED = 0.8


def check_neutral_answers(book: Rulebook) -> Faults:
    """Yield a fault for each neutral answer that changes the points of a criterion."""
    sources = {derived.id: derived for derived in book.derived}
    reads = {
        criterion.id: {
            *find_level_questions(criterion, sources),
            *find_discount_questions(criterion, sources),
        }
        for criterion in book.criterion
    }
    for question in book.question:
        criteria = [it for it in book.criterion if question.id in reads[it.id]]
        if question.neutral is not None and criteria:
            names = {*find_condition_questions([question.ask_when], sources)}
            names.update(*(reads[criterion.id] for criterion in criteria))
            trial = _NeutralTrial(question, book, criteria, names)
            yield from trial.find_faults()


class _NeutralTrial:
    """One question with a neutral, the criteria that read it, and the questions they read."""

    def __init__(
        self, question: Question, book: Rulebook, criteria: list[Criterion], names: set[str]
    ) -> None:
        certain = book.rulebook.counts_certain_points
        self._question = question
        self._weighers = {
            criterion.id: compile_criterion(
                criterion, book.questions_by_id, counts_certain_points=certain
            )
            for criterion in criteria
        }
        self._others = [it for it in book.question if it.id in names - {question.id}]
        self._reader = FactReader(book)
        self._open_reader = FactReader(_remove_neutral(book, question))

    def find_faults(self) -> Faults:
        trials = list(islice(self._draw_hidden(), TRIALS))
        if len(trials) < TRIALS:
            yield f"question {self._question.id}: 'ask_when' is false too rarely to try its neutral"
        for name, weigh in self._weighers.items():
            if any(
                weigh(self._reader.read_answers(answers).facts).points
                != weigh(self._open_reader.read_answers(answers).facts).points
                for answers in trials
            ):
                yield f"question {self._question.id}: its neutral moves points of criterion {name}"

    def _draw_hidden(self) -> Iterator[Mapping[str, Any]]:
        """Yield drawn answers with which the question does not apply."""
        draws = Random(self._question.id)  # noqa: S311  # nosec B311 - examples, no secrets
        for _ in range(MAX_DRAWS):
            answers = {
                question.id: _draw_answer(question, draws)
                for question in self._others
                if draws.random() < SHARE_ANSWERED
            }
            if self._question.id in self._reader.read_answers(answers).not_asked:
                yield answers


def _remove_neutral(book: Rulebook, question: Question) -> Rulebook:
    questions = tuple(
        it.model_copy(update={"neutral": None}) if it is question else it for it in book.question
    )
    return book.model_copy(update={"question": questions})


def _draw_answer(question: Question, draws: Random) -> Any:
    options = [option.id for option in question.options]
    match question.kind:
        case "boolean":
            return draws.random() < 0.5
        case "choice":
            return draws.choice(options)
        case "multi":
            return tuple(draws.sample(options, draws.randint(0, min(3, len(options)))))
        case "integer" | "decimal":
            return draws.randint(int(question.minimum or 0), int(question.maximum or 0))
