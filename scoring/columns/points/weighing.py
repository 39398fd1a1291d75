"""Calculates the points of criteria as Polars expressions, in whole hundredths.

Each criterion has columns for its points if they are settled (null if unanswered), its current
points, and the least and the most points still possible. A level applies if its condition is true
and all before it are false. It is still possible if its condition is not false and none before it
is true.
"""

from collections.abc import Sequence
from itertools import chain

import polars as pl

from schemas.rulebooks.conditions import Always, Condition, iterate_statements, list_parts
from schemas.rulebooks.rulebook import Criterion, Rulebook
from scoring.columns.conditions import ConditionCompiler
from scoring.weighing import to_hundredths


class WeighingStages:
    """The criteria of a rulebook as stages of named expressions, each based on the one before.

    A side is `now`, `least` or `most`.
    """

    def __init__(self, rulebook: Rulebook, meaning: ConditionCompiler) -> None:
        self._rulebook = rulebook
        self._meaning = meaning
        is_small = find_points_bound(rulebook) < 2**15
        self.kind: type[pl.DataType] = pl.Int16 if is_small else pl.Int64

    @staticmethod
    def settled_column_name(index: int) -> str:
        """Return the name of the column with the points of a criterion, null if unanswered."""
        return f"weight.{index}.settled"

    @staticmethod
    def points_column_name(index: int, side: str = "now") -> str:
        """Return the name of the column with the points of the criterion at this index."""
        return f"weight.{index}.{side}"

    @staticmethod
    def list_possible_points(criterion: Criterion) -> set[int]:
        """Return every number of hundredths the criterion can give."""
        full = {to_hundredths(level.points) for level in criterion.level}
        factors = [to_hundredths(discount.factor) for discount in criterion.discount]
        discounted = {points * factor // 100 for points in full if points > 0 for factor in factors}
        return full | discounted | {0}

    def build_stages(self) -> list[list[pl.Expr]]:
        """Return the stages in order, from conditions to current points."""
        weights = [
            expression
            for index, criterion in enumerate(self._rulebook.criterion)
            for expression in self._weigh(index, criterion)
        ]
        return [self._conditions(), weights, self._points_now()]

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
        names = [
            self.settled_column_name(index),
            *(self.points_column_name(index, side) for side in ("least", "most")),
        ]
        points = weigh(levels, now, least)
        return [side.alias(name) for side, name in zip(points, names, strict=True)]

    def _points_now(self) -> list[pl.Expr]:
        """Return the current points: settled, or 0, or where it counts what is certain."""
        expressions = []
        for index in range(len(self._rulebook.criterion)):
            points: pl.Expr = pl.lit(0, self.kind)
            if self._rulebook.rulebook.counts_certain_points:
                least, most = (
                    pl.col(self.points_column_name(index, side)) for side in ("least", "most")
                )
                points = pl.max_horizontal(least, pl.min_horizontal(most, points))
            settled = pl.col(self.settled_column_name(index))
            now = settled.fill_null(points)
            expressions.append(now.alias(self.points_column_name(index)))
        return expressions

    def _level_points(self, index: int, criterion: Criterion, level: int, prefix: str) -> pl.Expr:
        """Return the points of a level after the smallest discount with a true `prefix` column."""
        full = to_hundredths(criterion.level[level].points)
        points: pl.Expr = pl.lit(full, self.kind)
        if full <= 0:
            return points
        factors = [to_hundredths(discount.factor) for discount in criterion.discount]
        for n in sorted(range(len(factors)), key=lambda n: factors[n], reverse=True):
            discounted = pl.lit(full * factors[n] // 100, self.kind)
            points = pl.when(pl.col(f"{prefix}.{index}.{n}")).then(discounted).otherwise(points)
        return points

    def _weigh_together(
        self, levels: list[pl.Expr], now: list[pl.Expr], least: list[pl.Expr]
    ) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
        """Weigh levels with one subject: it is known and one level applies, or all are possible."""
        none: pl.Expr = pl.lit(None, self.kind)
        return (
            _first_true(levels, now, none),
            _first_true(levels, least, pl.min_horizontal(least)),
            _first_true(levels, now, pl.max_horizontal(now)),
        )

    def _weigh_in_order(
        self, levels: list[pl.Expr], now: list[pl.Expr], least: list[pl.Expr]
    ) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
        """Weigh levels of which a later one may be known while an earlier one is unknown."""
        none: pl.Expr = pl.lit(None, self.kind)
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


def find_points_bound(rulebook: Rulebook) -> int:
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
    return isinstance(condition, Always) or any(map(_contains_always, list_parts(condition)))


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
