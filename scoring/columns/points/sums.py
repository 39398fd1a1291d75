"""Adds points to domains and totals as Polars expressions, in whole hundredths, on three sides."""

from collections.abc import Sequence
from functools import reduce
from operator import add, and_
from typing import NamedTuple

import polars as pl

from schemas.rulebooks.rulebook import Gate, Rulebook
from scoring.columns.points.weighing import WeighingStages
from scoring.weighing import to_hundredths

SIDES = ("now", "least", "most")
"""The current points, and the least and the most still possible."""


class SumColumns(NamedTuple):
    """Names of the columns with the domain points after gates, and the totals, of one side."""

    domain_points: list[str]
    totals: list[str]


def sum_column_names(rulebook: Rulebook, side: str = "now") -> SumColumns:
    """Return the names of the columns with the sums of one side."""
    return SumColumns(
        [f"counted.{side}.{index}" for index in range(len(rulebook.domain))],
        [f"total.{side}.{index}" for index in range(len(rulebook.total))],
    )


def clamped_column_name(side: str, domain: int) -> str:
    """Return the name of the column with the clamped points of the domain at this index."""
    return f"clamped.{side}.{domain}"


class SumStages:
    """The domains and totals of a rulebook as stages of named expressions over its criteria."""

    def __init__(self, rulebook: Rulebook, kind: type[pl.DataType]) -> None:
        self._rulebook = rulebook
        self._kind = kind
        self.domain_indexes = {domain.id: index for index, domain in enumerate(rulebook.domain)}

    def build_stages(self) -> list[list[pl.Expr]]:
        """Return the stages in order: clamped domains, gated domains, totals."""
        return [self._clamp(), self._apply_gates(), self._totals()]

    def _clamp(self) -> list[pl.Expr]:
        expressions = []
        for side in SIDES:
            for index, domain in enumerate(self._rulebook.domain):
                members = [
                    pl.col(WeighingStages.points_column_name(n, side))
                    for n, criterion in enumerate(self._rulebook.criterion)
                    if criterion.domain == domain.id
                ]
                points = self.clamp_domain(reduce(add, members), index)
                expressions.append(points.alias(clamped_column_name(side, index)))
        return expressions

    def clamp_domain(self, points: pl.Expr, domain: int) -> pl.Expr:
        """Return the sum of a domain, given by its index, between its floor and its ceiling."""
        floor, ceiling = (
            pl.lit(to_hundredths(limit), self._kind)
            for limit in (
                self._rulebook.domain[domain].floor,
                self._rulebook.domain[domain].ceiling,
            )
        )
        return points.clip(floor, ceiling)

    def _apply_gates(self) -> list[pl.Expr]:
        return [
            self._gated_domain(side, index).alias(name)
            for side in SIDES
            for index, name in enumerate(sum_column_names(self._rulebook, side).domain_points)
        ]

    def _gated_domain(self, side: str, index: int) -> pl.Expr:
        clamped = [
            pl.col(clamped_column_name(side, domain))
            for domain in range(len(self._rulebook.domain))
        ]
        return self.apply_gates(clamped, index)

    def list_gates(self, domain: int) -> list[Gate]:
        """Return the gates of the domain at this index."""
        return [gate for gate in self._rulebook.gate if self.domain_indexes[gate.domain] == domain]

    def apply_gates(self, clamped: Sequence[pl.Expr], domain: int) -> pl.Expr:
        """Return what a domain counts, from the clamped points of all domains."""
        gates = self.list_gates(domain)
        if not gates:
            return clamped[domain]
        is_open = reduce(
            and_,
            [
                reduce(add, [clamped[self.domain_indexes[name]] for name in gate.needs])
                >= to_hundredths(gate.at_least)
                for gate in gates
            ],
        )
        return pl.when(is_open).then(clamped[domain]).otherwise(pl.lit(0, self._kind))

    def _totals(self) -> list[pl.Expr]:
        expressions = []
        for side in SIDES:
            domain_columns, totals = sum_column_names(self._rulebook, side)
            for total, name in zip(self._rulebook.total, totals, strict=True):
                members = [domain_columns[self.domain_indexes[domain]] for domain in total.domains]
                expressions.append(reduce(add, [pl.col(member) for member in members]).alias(name))
        return expressions
