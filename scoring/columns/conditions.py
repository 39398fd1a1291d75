"""What the words of a condition mean over columns: each becomes a Polars expression.

True, false and null are what `scoring.conditions` calls true, false and unknown; Polars joins them
as Kleene does. A marked list is a bit mask here, one bit an option; a choice is the place of its
option; a decimal answer is in whole hundredths.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import reduce
from math import ceil, floor
from operator import and_, or_

import polars as pl

from schemas.conditions import (
    All,
    Always,
    Any,
    AtLeast,
    AtMost,
    Condition,
    CountsAtLeast,
    Includes,
    Is,
    Not,
    OneOf,
)
from schemas.rulebook import Derived, Question
from scoring.conditions import options_named

MASK = pl.UInt64
OPTIONS = 63
"""The most options that a mask can hold; the last bit says `none` while a cell is read."""


def answer(subject: str) -> str:
    """The name of the column that holds a question or a derived value while rules are read."""
    return f"answer.{subject}"


def asked(subject: str) -> pl.Expr:
    """The column of a question or a derived value."""
    return pl.col(answer(subject))


class Meaning:
    """The conditions of one rulebook as expressions over its answers."""

    def __init__(self, questions: Mapping[str, Question], sources: Mapping[str, Derived]) -> None:
        self._questions = questions
        self._in_hundredths = {each.id for each in questions.values() if each.kind == "decimal"}
        self._in_hundredths |= {each.id for each in sources.values() if each.mean_of}

    def of(self, condition: Condition) -> pl.Expr:  # noqa: PLR0911 - one for each word
        """The condition as an expression of true, false and null."""
        match condition:
            case Is(subject=subject, is_=bool(expected)):
                return asked(subject) if expected else ~asked(subject)
            case Is(subject=subject, is_=option):
                return asked(subject) == self._place(subject, str(option))
            case OneOf(subject=subject, one_of=options):
                return _joined(
                    or_, [asked(subject) == self._place(subject, each) for each in options]
                )
            case AtLeast(subject=subject, at_least=edge):
                return asked(subject) >= self._edge(subject, edge, ceil)
            case AtMost(subject=subject, at_most=edge):
                return asked(subject) <= self._edge(subject, edge, floor)
            case Includes(subject=subject):
                wanted = self.mask(subject, options_named(condition, self._questions))
                return (asked(subject) & wanted) != pl.lit(0, MASK)
            case CountsAtLeast(subject=subject, counts_at_least=1):
                return asked(subject) != pl.lit(0, MASK)
            case CountsAtLeast(subject=subject, counts_at_least=least):
                return asked(subject).bitwise_count_ones() >= least
            case _:
                return self._of_parts(condition)

    def _of_parts(self, condition: Condition) -> pl.Expr:
        match condition:
            case All(all=parts):
                return _joined(and_, [self.of(part) for part in parts])
            case Any(any=parts):
                return _joined(or_, [self.of(part) for part in parts])
            case Not(not_=part):
                return ~self.of(part)
            case Always():
                return pl.lit(value=True)
        raise TypeError(f"no meaning is given to the condition {type(condition).__name__}")

    def mask(self, question: str, options: frozenset[str]) -> pl.Expr:
        """The bits of these options."""
        places = self._places(question)
        return pl.lit(sum(1 << places[each] for each in options), MASK)

    def _place(self, question: str, option: str) -> pl.Expr:
        return pl.lit(self._places(question)[option], pl.UInt8)

    def _places(self, question: str) -> dict[str, int]:
        return {each.id: place for place, each in enumerate(self._questions[question].options)}

    def _edge(self, subject: str, edge: Decimal, rounded: Callable[[Decimal], int]) -> pl.Expr:
        return pl.lit(
            int(edge * 100) if subject in self._in_hundredths else rounded(edge), pl.Int32
        )


def _joined(join: Callable[[pl.Expr, pl.Expr], pl.Expr], parts: list[pl.Expr]) -> pl.Expr:
    return reduce(join, parts)
