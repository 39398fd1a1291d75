"""Compiles conditions of a rulebook into Polars expressions over columns.

True, false and null stand for true, false and unknown in `scoring.conditions`; Polars joins them
by Kleene's logic. A list of marked options is a bit mask with one bit for each option, a choice is
the index of its option, and a decimal answer is in whole hundredths.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import reduce
from math import ceil, floor
from operator import add, and_, or_

import polars as pl

from schemas.rulebooks.conditions import (
    AllOf,
    Always,
    AnyOf,
    AtLeast,
    AtLeastOf,
    AtMost,
    Condition,
    CountsAtLeast,
    Either,
    HasAnswer,
    Includes,
    Is,
    Not,
    OneOf,
)
from schemas.rulebooks.rulebook import Derived, Question
from scoring.conditions import expand_options

MASK_TYPE = pl.UInt64
MAX_MASK_OPTIONS = 63
"""The most options a mask can hold; the last bit means `none` while a cell is parsed."""


def answer_column_name(subject: str) -> str:
    """Return the name of the working column of a question or a derived value."""
    return f"answer.{subject}"


def answer_column(subject: str) -> pl.Expr:
    """Return the working column of a question or a derived value."""
    return pl.col(answer_column_name(subject))


class ConditionCompiler:
    """Compiles the conditions of one rulebook into expressions over its answers."""

    def __init__(self, questions: Mapping[str, Question], sources: Mapping[str, Derived]) -> None:
        self._questions = questions
        self._in_hundredths = {
            question.id for question in questions.values() if question.kind == "decimal"
        }
        self._in_hundredths |= {derived.id for derived in sources.values() if derived.mean_of}

    def compile(self, condition: Condition) -> pl.Expr:  # noqa: PLR0911 - one case for each word
        """Return the condition as an expression of true, false and null."""
        match condition:
            case Is(subject=subject, is_=bool(expected)):
                return answer_column(subject) if expected else ~answer_column(subject)
            case Is(subject=subject, is_=option):
                return answer_column(subject) == self._option_index(subject, str(option))
            case OneOf(subject=subject, one_of=options):
                return reduce(
                    or_,
                    [
                        answer_column(subject) == self._option_index(subject, name)
                        for name in options
                    ],
                )
            case AtLeast(subject=subject, at_least=edge):
                return answer_column(subject) >= self._threshold(subject, edge, ceil)
            case AtMost(subject=subject, at_most=edge):
                return answer_column(subject) <= self._threshold(subject, edge, floor)
            case Includes(subject=subject):
                mask = self.option_mask(subject, expand_options(condition, self._questions))
                return (answer_column(subject) & mask) != pl.lit(0, MASK_TYPE)
            case CountsAtLeast(subject=subject, counts_at_least=1):
                return answer_column(subject) != pl.lit(0, MASK_TYPE)
            case CountsAtLeast(subject=subject, counts_at_least=least):
                return answer_column(subject).bitwise_count_ones() >= least
            case HasAnswer(subject=subject):
                return answer_column(subject).is_not_null()
            case _:
                return self._join_parts(condition)

    def _join_parts(self, condition: Condition) -> pl.Expr:
        match condition:
            case AtLeastOf(at_least_of=least, of=parts):
                return _count([self.compile(part) for part in parts], least)
            case Either(either=parts):
                return _settle([self.compile(part) for part in parts])
            case AllOf(all=parts):
                return reduce(and_, [self.compile(part) for part in parts])
            case AnyOf(any=parts):
                return reduce(or_, [self.compile(part) for part in parts])
            case Not(not_=part):
                return ~self.compile(part)
            case Always():
                return pl.lit(value=True)
        raise TypeError(f"no meaning is given to the condition {type(condition).__name__}")

    def option_mask(self, question: str, options: frozenset[str]) -> pl.Expr:
        """Return the mask of these options as a literal."""
        indexes = self._option_indexes(question)
        return pl.lit(sum(1 << indexes[name] for name in options), MASK_TYPE)

    def _option_index(self, question: str, option: str) -> pl.Expr:
        return pl.lit(self._option_indexes(question)[option], pl.UInt8)

    def _option_indexes(self, question: str) -> dict[str, int]:
        return {option.id: index for index, option in enumerate(self._questions[question].options)}

    def _threshold(
        self, subject: str, edge: Decimal, round_edge: Callable[[Decimal], int]
    ) -> pl.Expr:
        return pl.lit(
            int(edge * 100) if subject in self._in_hundredths else round_edge(edge), pl.Int32
        )


def _count(parts: list[pl.Expr], least: int) -> pl.Expr:
    """Return whether so many parts are true, false once so many no longer can be."""
    are_true = reduce(add, [part.fill_null(value=False).cast(pl.UInt8) for part in parts])
    may_be_true = reduce(add, [part.fill_null(value=True).cast(pl.UInt8) for part in parts])
    return pl.when(are_true >= least).then(True).when(may_be_true < least).then(False)


def _settle(parts: list[pl.Expr]) -> pl.Expr:
    """Return whether a part is true, false if none is true and one is false."""
    is_true = reduce(or_, [part.fill_null(value=False) for part in parts])
    is_false = reduce(or_, [~part.fill_null(value=True) for part in parts])
    return pl.when(is_true).then(True).when(is_false).then(False)
