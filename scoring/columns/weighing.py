"""Calculates the points of criteria and their sums as Polars expressions, in whole hundredths.

Each criterion has three columns: its current points (null if unanswered), and the least and the
most points still possible. A level applies if its condition is true and all before it are false.
It is still possible if its condition is not false and none before it is true.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import chain
from operator import add, and_
from typing import NamedTuple

import polars as pl

from schemas.conditions import AllOf, Always, AnyOf, Condition, Not, iterate_statements
from schemas.rulebook import Criterion, Rulebook
from scoring.columns.conditions import ConditionCompiler
from scoring.weighing import to_hundredths

_SIDES = ("now", "least", "most")


class SumColumns(NamedTuple):
    """Names of the columns with the domain points after gates, and the totals, of one side."""

    domain_points: list[str]
    totals: list[str]


class WeighingStages:
    """The criteria of a rulebook as stages of named expressions, each based on the one before.

    A side is `now`, `least` or `most`.
    """

    def __init__(self, rulebook: Rulebook, meaning: ConditionCompiler) -> None:
        self._rulebook = rulebook
        self._meaning = meaning
        self.points_bound = _most_points(rulebook)
        self._kind = pl.Int16 if self.points_bound < 2**15 else pl.Int64
        self.domain_indexes = {domain.id: index for index, domain in enumerate(rulebook.domain)}

    @staticmethod
    def points_column_name(index: int, side: str = "now") -> str:
        """Return the name of the column with the points of the criterion at this index."""
        return f"weight.{index}.{side}"

    @staticmethod
    def list_possible_points(criterion: Criterion) -> set[int]:
        """Return every number of hundredths the criterion can give."""
        full = {to_hundredths(level.points) for level in criterion.level}
        factors = [to_hundredths(discount.factor) for discount in criterion.discount]
        return full | {
            points * factor // 100 for points in full if points > 0 for factor in factors
        }

    @staticmethod
    def sum_column_names(rulebook: Rulebook, side: str = "now") -> SumColumns:
        """Return the names of the columns with the sums of one side."""
        return SumColumns(
            [f"counted.{side}.{index}" for index in range(len(rulebook.domain))],
            [f"total.{side}.{index}" for index in range(len(rulebook.total))],
        )

    def build_stages(self) -> list[list[pl.Expr]]:
        """Return the stages in order, from conditions to totals."""
        weights = [
            expression
            for index, criterion in enumerate(self._rulebook.criterion)
            for expression in self._weigh(index, criterion)
        ]
        return [self._conditions(), weights, self._clamp(), self._apply_gates(), self._totals()]

    def _conditions(self) -> list[pl.Expr]:
        expressions: list[pl.Expr] = []
        for index, criterion in enumerate(self._rulebook.criterion):
            expressions += [
                self._meaning.compile(level.when).alias(f"level.{index}.{n}")
                for n, level in enumerate(criterion.level)
            ]
            for n, discount in enumerate(criterion.discount):
                holds = self._meaning.compile(discount.when)
                expressions.append(holds.alias(f"discount.{index}.{n}"))
                expressions.append(holds.fill_null(value=True).alias(f"maybe.{index}.{n}"))
        return expressions

    def _weigh(self, index: int, criterion: Criterion) -> list[pl.Expr]:
        levels = [pl.col(f"level.{index}.{n}") for n in range(len(criterion.level))]
        now = [self._level_points(index, criterion, n, "discount") for n in range(len(levels))]
        least = [self._level_points(index, criterion, n, "maybe") for n in range(len(levels))]
        weigh = self._weigh_together if _has_one_subject(criterion) else self._weigh_in_order
        sides = zip(weigh(levels, now, least), _SIDES, strict=True)
        return [points.alias(self.points_column_name(index, side)) for points, side in sides]

    def _level_points(self, index: int, criterion: Criterion, level: int, prefix: str) -> pl.Expr:
        """Return the points of a level after the smallest discount with a true `prefix` column."""
        full = to_hundredths(criterion.level[level].points)
        points: pl.Expr = pl.lit(full, self._kind)
        if full <= 0:
            return points
        factors = [to_hundredths(discount.factor) for discount in criterion.discount]
        for n in sorted(range(len(factors)), key=lambda n: factors[n], reverse=True):
            discounted = pl.lit(full * factors[n] // 100, self._kind)
            points = pl.when(pl.col(f"{prefix}.{index}.{n}")).then(discounted).otherwise(points)
        return points

    def _weigh_together(
        self, levels: list[pl.Expr], now: list[pl.Expr], least: list[pl.Expr]
    ) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
        """Weigh levels with one subject: it is known and one level applies, or all are possible."""
        none: pl.Expr = pl.lit(None, self._kind)
        return (
            _first_true(levels, now, none),
            _first_true(levels, least, pl.min_horizontal(least)),
            _first_true(levels, now, pl.max_horizontal(now)),
        )

    def _weigh_in_order(
        self, levels: list[pl.Expr], now: list[pl.Expr], least: list[pl.Expr]
    ) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
        """Weigh levels of which a later one may be known while an earlier one is unknown."""
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

    def _clamp(self) -> list[pl.Expr]:
        expressions = []
        for side in _SIDES:
            for index, domain in enumerate(self._rulebook.domain):
                members = [
                    pl.col(self.points_column_name(n, side)).fill_null(0)
                    for n, criterion in enumerate(self._rulebook.criterion)
                    if criterion.domain == domain.id
                ]
                points = reduce(add, members).clip(
                    pl.lit(to_hundredths(domain.floor), self._kind),
                    pl.lit(to_hundredths(domain.ceiling), self._kind),
                )
                expressions.append(points.alias(f"clamped.{side}.{index}"))
        return expressions

    def _apply_gates(self) -> list[pl.Expr]:
        return [
            self._gated_domain(side, index).alias(name)
            for side in _SIDES
            for index, name in enumerate(self.sum_column_names(self._rulebook, side).domain_points)
        ]

    def _gated_domain(self, side: str, index: int) -> pl.Expr:
        clamped = pl.col(f"clamped.{side}.{index}")
        gates = [gate for gate in self._rulebook.gate if self.domain_indexes[gate.domain] == index]
        if not gates:
            return clamped
        is_open = reduce(
            and_,
            [
                _add_columns([f"clamped.{side}.{self.domain_indexes[name]}" for name in gate.needs])
                >= to_hundredths(gate.at_least)
                for gate in gates
            ],
        )
        return pl.when(is_open).then(clamped).otherwise(pl.lit(0, self._kind))

    def _totals(self) -> list[pl.Expr]:
        expressions = []
        for side in _SIDES:
            domain_columns, totals = self.sum_column_names(self._rulebook, side)
            for total, name in zip(self._rulebook.total, totals, strict=True):
                members = [domain_columns[self.domain_indexes[domain]] for domain in total.domains]
                expressions.append(_add_columns(members).alias(name))
        return expressions


def _most_points(rulebook: Rulebook) -> int:
    """Return a number of hundredths that no sum of any side can exceed."""
    most = sum(
        max(abs(to_hundredths(level.points)) for level in criterion.level)
        for criterion in rulebook.criterion
    )
    return most + sum(
        max(abs(to_hundredths(domain.floor)), abs(to_hundredths(domain.ceiling)))
        for domain in rulebook.domain
    )


def _has_one_subject(criterion: Criterion) -> bool:
    """Return whether all levels depend on one subject, so that all are known or none is."""
    if any(_contains_always(level.when) for level in criterion.level):
        return False
    claims = chain.from_iterable(iterate_statements(level.when) for level in criterion.level)
    return len({claim.subject for claim in claims}) == 1


def _contains_always(condition: Condition) -> bool:
    match condition:
        case AllOf(all=parts) | AnyOf(any=parts):
            return any(map(_contains_always, parts))
        case Not(not_=part):
            return _contains_always(part)
    return isinstance(condition, Always)


def _first_true(levels: Sequence[pl.Expr], points: Sequence[pl.Expr], default: pl.Expr) -> pl.Expr:
    result = default
    for level, level_points in zip(reversed(levels), reversed(points), strict=True):
        result = pl.when(level).then(level_points).otherwise(result)
    return result


def _where(possible: Sequence[pl.Expr], points: Sequence[pl.Expr]) -> list[pl.Expr]:
    return [
        pl.when(is_possible).then(level_points)
        for is_possible, level_points in zip(possible, points, strict=True)
    ]


def _add_columns(names: Sequence[str]) -> pl.Expr:
    columns: list[pl.Expr] = [pl.col(name) for name in names]
    return reduce(add, columns)
