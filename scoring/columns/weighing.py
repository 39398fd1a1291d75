"""Weighing over columns: what each criterion gives, and their sums, in whole hundredths.

Each criterion has three columns: its points (null where it is unanswered), and the least and the
most that it may still come to. A level applies where its condition is true and all before it are
false; it is still possible where its condition is not false and none before it is true.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add, and_
from typing import NamedTuple

import polars as pl

from schemas.conditions import Always, statements
from schemas.rulebook import Criterion, Rulebook
from scoring.columns.conditions import Meaning
from scoring.weighing import hundredths

_SIDES = ("now", "least", "most")


class Side(NamedTuple):
    """The sums on one side: each domain as it counts, and each total, as names of columns."""

    counted: list[str]
    totals: list[str]


class Weighing:
    """The criteria of a rulebook as stages of named expressions, each reading the one before."""

    def __init__(self, rulebook: Rulebook, meaning: Meaning) -> None:
        self._rulebook = rulebook
        self._meaning = meaning
        self.most_points = _most_points(rulebook)
        self._kind = pl.Int16 if self.most_points < 2**15 else pl.Int64
        self.domains = {domain.id: place for place, domain in enumerate(rulebook.domain)}

    @staticmethod
    def points(place: int, side: str = "now") -> str:
        """The column with what the criterion in that place gives, on one side."""
        return f"weight.{place}.{side}"

    @staticmethod
    def possible(criterion: Criterion) -> set[int]:
        """Every number of hundredths that the criterion can give."""
        full = {hundredths(level.points) for level in criterion.level}
        factors = [hundredths(each.factor) for each in criterion.discount]
        return full | {
            points * factor // 100 for points in full if points > 0 for factor in factors
        }

    @staticmethod
    def sums(rulebook: Rulebook, side: str = "now") -> Side:
        """The columns with the sums on one side."""
        return Side(
            [f"counted.{side}.{place}" for place in range(len(rulebook.domain))],
            [f"total.{side}.{place}" for place in range(len(rulebook.total))],
        )

    def stages(self) -> list[list[pl.Expr]]:
        """From conditions to totals."""
        criteria = self._rulebook.criterion
        weights = [each for place, one in enumerate(criteria) for each in self._weight(place, one)]
        return [self._conditions(), weights, self._clamped(), self._gated(), self._totals()]

    def _conditions(self) -> list[pl.Expr]:
        named: list[pl.Expr] = []
        for place, criterion in enumerate(self._rulebook.criterion):
            named += [
                self._meaning.of(level.when).alias(f"level.{place}.{n}")
                for n, level in enumerate(criterion.level)
            ]
            for n, discount in enumerate(criterion.discount):
                holds = self._meaning.of(discount.when)
                named.append(holds.alias(f"discount.{place}.{n}"))
                named.append(holds.fill_null(value=True).alias(f"maybe.{place}.{n}"))
        return named

    def _weight(self, place: int, criterion: Criterion) -> list[pl.Expr]:
        levels = [pl.col(f"level.{place}.{n}") for n in range(len(criterion.level))]
        now = [self._given(place, criterion, n, "discount") for n in range(len(levels))]
        least = [self._given(place, criterion, n, "maybe") for n in range(len(levels))]
        read = self._settled if _reads_one(criterion) else self._open
        exprs = read(levels, now, least)
        return [
            each.alias(self.points(place, side)) for each, side in zip(exprs, _SIDES, strict=True)
        ]

    def _given(self, place: int, criterion: Criterion, level: int, which: str) -> pl.Expr:
        """What the level gives under the smallest of the discounts whose column is true."""
        full = hundredths(criterion.level[level].points)
        given: pl.Expr = pl.lit(full, self._kind)
        if full <= 0:
            return given
        factors = [hundredths(each.factor) for each in criterion.discount]
        for n in sorted(range(len(factors)), key=lambda n: factors[n], reverse=True):
            discounted = pl.lit(full * factors[n] // 100, self._kind)
            given = pl.when(pl.col(f"{which}.{place}.{n}")).then(discounted).otherwise(given)
        return given

    def _settled(
        self, levels: list[pl.Expr], now: list[pl.Expr], least: list[pl.Expr]
    ) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
        """Where all levels read one thing: it is known and one applies, or all are possible."""
        none: pl.Expr = pl.lit(None, self._kind)
        return (
            _first_true(levels, now, none),
            _first_true(levels, least, pl.min_horizontal(least)),
            _first_true(levels, now, pl.max_horizontal(now)),
        )

    def _open(
        self, levels: list[pl.Expr], now: list[pl.Expr], least: list[pl.Expr]
    ) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
        """Where a later level may be settled while an earlier one is not."""
        none: pl.Expr = pl.lit(None, self._kind)
        applies, before = [], pl.lit(value=True)
        possible, none_true = [], pl.lit(value=True)
        for level in levels:
            is_true, is_false = level.fill_null(value=False), ~level.fill_null(value=True)
            applies.append(before & is_true)
            possible.append(none_true & ~is_false)
            before, none_true = before & is_false, none_true & ~is_true
        return (
            _first_true(applies, now, none),
            pl.min_horizontal(_where(possible, least)),
            pl.max_horizontal(_where(possible, now)),
        )

    def _clamped(self) -> list[pl.Expr]:
        named = []
        for side in _SIDES:
            for place, domain in enumerate(self._rulebook.domain):
                members = [
                    pl.col(self.points(n, side)).fill_null(0)
                    for n, criterion in enumerate(self._rulebook.criterion)
                    if criterion.domain == domain.id
                ]
                summed = reduce(add, members).clip(
                    pl.lit(hundredths(domain.floor), self._kind),
                    pl.lit(hundredths(domain.ceiling), self._kind),
                )
                named.append(summed.alias(f"clamped.{side}.{place}"))
        return named

    def _gated(self) -> list[pl.Expr]:
        return [
            self._through_gates(side, place).alias(name)
            for side in _SIDES
            for place, name in enumerate(self.sums(self._rulebook, side).counted)
        ]

    def _through_gates(self, side: str, place: int) -> pl.Expr:
        clamped = pl.col(f"clamped.{side}.{place}")
        gates = [each for each in self._rulebook.gate if self.domains[each.domain] == place]
        if not gates:
            return clamped
        is_open = reduce(
            and_,
            [
                _added([f"clamped.{side}.{self.domains[name]}" for name in gate.needs])
                >= hundredths(gate.at_least)
                for gate in gates
            ],
        )
        return pl.when(is_open).then(clamped).otherwise(pl.lit(0, self._kind))

    def _totals(self) -> list[pl.Expr]:
        named = []
        for side in _SIDES:
            counted, totals = self.sums(self._rulebook, side)
            for total, name in zip(self._rulebook.total, totals, strict=True):
                named.append(
                    _added([counted[self.domains[each]] for each in total.domains]).alias(name)
                )
        return named


def _most_points(rulebook: Rulebook) -> int:
    """More hundredths than any sum on any side can come to."""
    most = sum(
        max(abs(hundredths(level.points)) for level in criterion.level)
        for criterion in rulebook.criterion
    )
    return most + sum(
        max(abs(hundredths(each.floor)), abs(hundredths(each.ceiling))) for each in rulebook.domain
    )


def _reads_one(criterion: Criterion) -> bool:
    """Whether every level says something of the same one thing, so that all are known at once."""
    said = [list(statements(level.when)) for level in criterion.level]
    always = any(_says_always(level.when) for level in criterion.level)
    return not always and len({each.subject for one in said for each in one}) == 1


def _says_always(condition: object) -> bool:
    parts = getattr(condition, "all", None) or getattr(condition, "any", None)
    if isinstance(condition, Always):
        return True
    if isinstance(parts, tuple):
        return any(_says_always(part) for part in parts)
    return hasattr(condition, "not_") and _says_always(condition.not_)


def _first_true(levels: Sequence[pl.Expr], given: Sequence[pl.Expr], otherwise: pl.Expr) -> pl.Expr:
    for level, each in zip(reversed(levels), reversed(given), strict=True):
        otherwise = pl.when(level).then(each).otherwise(otherwise)
    return otherwise


def _where(possible: Sequence[pl.Expr], given: Sequence[pl.Expr]) -> list[pl.Expr]:
    return [pl.when(each).then(points) for each, points in zip(possible, given, strict=True)]


def _added(names: Sequence[str]) -> pl.Expr:
    columns: list[pl.Expr] = [pl.col(name) for name in names]
    join: Callable[[pl.Expr, pl.Expr], pl.Expr] = add
    return reduce(join, columns)
