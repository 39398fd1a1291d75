"""Sets the neutral answers of questions that do not apply, as stages of Polars expressions."""

import polars as pl

from schemas.rulebooks.rulebook import Question, Rulebook
from scoring.answers.question_dependencies import find_early_values, find_late_values
from scoring.columns.conditions import (
    MASK_TYPE,
    ConditionCompiler,
    answer_column,
    answer_column_name,
)
from scoring.columns.derived_values import derived_expression


def is_hidden(question: str) -> pl.Expr:
    """Return the column that tells whether a question with `ask_when` does not apply."""
    return pl.col(_hidden_column_name(question))


def is_undecided(question: str) -> pl.Expr:
    """Return the column that tells whether it is unknown if an open question applies."""
    return pl.col(_undecided_column_name(question))


def is_open(question: Question) -> pl.Expr:
    """Return whether the question is unanswered and applies, or may apply."""
    is_unanswered = answer_column(question.id).is_null()
    return is_unanswered if question.ask_when is None else is_unanswered & ~is_hidden(question.id)


class FactStages:
    """The answers of one rulebook as facts: neutral answers and derived values, in stages."""

    def __init__(self, book: Rulebook, meaning: ConditionCompiler) -> None:
        self._book = book
        self._meaning = meaning
        self._conditional = [question for question in book.question if question.ask_when]

    def build_stages(self) -> list[list[pl.Expr]]:
        """Return the stages in order; each derived value is one of its own."""
        early_ids, late_ids = find_early_values(self._book), find_late_values(self._book)
        derived_ids = {derived.id for derived in self._book.derived}
        return [
            *self._derive(early_ids),
            [expression for it in self._conditional for expression in self._decide(it)],
            [self._fill_neutral(it) for it in self._conditional if it.neutral is not None],
            *self._derive(derived_ids - early_ids - late_ids),
        ]

    def _derive(self, ids: set[str]) -> list[list[pl.Expr]]:
        questions = self._book.questions_by_id
        return [
            [
                derived_expression(derived, questions, self._meaning).alias(
                    answer_column_name(derived.id)
                )
            ]
            for derived in self._book.derived
            if derived.id in ids
        ]

    def _decide(self, question: Question) -> list[pl.Expr]:
        if question.ask_when is None:
            return []
        is_unanswered = answer_column(question.id).is_null()
        is_asked = self._meaning.compile(question.ask_when)
        return [
            (is_unanswered & ~is_asked.fill_null(value=True)).alias(
                _hidden_column_name(question.id)
            ),
            (is_unanswered & is_asked.is_null()).alias(_undecided_column_name(question.id)),
        ]

    def _fill_neutral(self, question: Question) -> pl.Expr:
        answer = answer_column(question.id)
        neutral: pl.Expr = pl.lit(0, pl.Int32)
        if question.kind == "boolean":
            neutral = pl.lit(value=False)
        elif question.kind == "multi":
            neutral = pl.lit(0, MASK_TYPE)
        answer_or_neutral = pl.when(is_hidden(question.id)).then(neutral).otherwise(answer)
        return answer_or_neutral.alias(answer_column_name(question.id))


def _hidden_column_name(question: str) -> str:
    return f"hidden.{question}"


def _undecided_column_name(question: str) -> str:
    return f"undecided.{question}"
