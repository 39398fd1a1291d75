"""Weighing: from facts to points, in whole hundredths, with what is still possible on either side.

A criterion's levels are read in order, in three-valued logic; its discounts multiply positive
points only; a domain adds its criteria between floor and ceiling; a gate may close a domain; a
total adds domains. Everything is done three times with the same sums: as things stand, at the
least, at the most.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from schemas.rulebook import Criterion, Question, Rulebook
from scoring.conditions import Facts, Test, Truth, test


class Weight(NamedTuple):
    """What one criterion gives, in hundredths; `level` and `discount` are places in the rulebook.

    `least` and `most` are what it may still come to; for an unanswered criterion `level` is None
    and the points are 0.
    """

    level: int | None
    full: int
    points: int
    discount: int | None
    least: int
    most: int
    open: bool


class Sums(NamedTuple):
    """Domains as they add up, as they count after clamp and gate, and totals; in rulebook order."""

    domains: list[int]
    counted: list[int]
    totals: list[int]


Weigh = Callable[[Facts], Weight]
AddUp = Callable[[Sequence[int]], Sums]


def hundredths(points: Decimal) -> int:
    """Exact points as a whole number of hundredths."""
    return int(points * 100)


def weigher(criterion: Criterion, questions: Mapping[str, Question]) -> Weigh:
    """The criterion as a function from facts to its weight."""
    levels = [(test(level.when, questions), hundredths(level.points)) for level in criterion.level]
    discounts = [
        (test(each.when, questions), hundredths(each.factor)) for each in criterion.discount
    ]
    if not discounts:
        return lambda facts: _undiscounted(*_read(levels, facts))

    def weigh(facts: Facts) -> Weight:
        level, possible = _read(levels, facts)
        if max(possible) <= 0:
            return _undiscounted(level, possible)
        truths = [holds(facts) for holds, _ in discounts]
        holding, factor = _smallest(discounts, truths, (True,))
        _, least_factor = _smallest(discounts, truths, (True, None))
        full = possible[0] if level is not None else 0
        points = _discounted(full, factor)
        least = min(_discounted(each, least_factor) for each in possible)
        most = max(_discounted(each, factor) for each in possible)
        applied = holding if full > 0 else None
        return Weight(level, full, points, applied, least, most, level is None or None in truths)

    return weigh


def adder(rulebook: Rulebook) -> AddUp:
    """The sums of the rulebook as a function of one number of hundredths for each criterion."""
    place = {domain.id: index for index, domain in enumerate(rulebook.domain)}
    home = [place[criterion.domain] for criterion in rulebook.criterion]
    bounds = [(hundredths(domain.floor), hundredths(domain.ceiling)) for domain in rulebook.domain]
    gates = [
        (place[gate.domain], [place[name] for name in gate.needs], hundredths(gate.at_least))
        for gate in rulebook.gate
    ]
    totals = [[place[name] for name in total.domains] for total in rulebook.total]

    def add_up(points: Sequence[int]) -> Sums:
        sums = [0] * len(bounds)
        for index, each in zip(home, points, strict=True):
            sums[index] += each
        clamped = [
            floor if each < floor else min(each, ceiling)
            for each, (floor, ceiling) in zip(sums, bounds, strict=True)
        ]
        counted = clamped.copy()
        for gated, needs, least in gates:
            if sum([clamped[index] for index in needs]) < least:
                counted[gated] = 0
        added = [sum([counted[index] for index in indexes]) for indexes in totals]
        return Sums(sums, counted, added)

    return add_up


def _read(levels: Sequence[tuple[Test, int]], facts: Facts) -> tuple[int | None, list[int]]:
    """The level that applies with its points, or None with those of every level still possible."""
    possible: list[int] = []
    for index, (holds, points) in enumerate(levels):
        truth = holds(facts)
        if truth is False:
            continue
        if truth and not possible:
            return index, [points]
        possible.append(points)
        if truth:
            break
    return None, possible


def _undiscounted(level: int | None, possible: list[int]) -> Weight:
    if level is None:
        return Weight(None, 0, 0, None, min(possible), max(possible), open=True)
    points = possible[0]
    return Weight(level, points, points, None, points, points, open=False)


def _smallest(
    discounts: Sequence[tuple[Test, int]], truths: Sequence[Truth], counting: tuple[Truth, ...]
) -> tuple[int | None, int]:
    """The place and the factor of the smallest discount whose truth counts; 100 where none does."""
    place, smallest = None, 100
    for index, (truth, (_, factor)) in enumerate(zip(truths, discounts, strict=True)):
        if truth in counting and factor < smallest:
            place, smallest = index, factor
    return place, smallest


def _discounted(points: int, factor: int) -> int:
    return points * factor // 100 if points > 0 else points


@cache
def exact(points: int) -> Decimal:
    """Hundredths as exact points."""
    return Decimal(points) / 100
