"""Calculates points and their possible range from facts, in whole hundredths.

The levels of a criterion are tested in order, in three-valued logic. Discounts multiply positive
points only. A domain adds its criteria and clamps the sum between floor and ceiling, a gate may
zero a domain, and a total adds domains. The sums are calculated three times: current, least and
most.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache, lru_cache
from typing import NamedTuple

from schemas.rulebooks.conditions import list_subjects
from schemas.rulebooks.rulebook import Band, Criterion, Question, Rulebook
from scoring.conditions import CompiledCondition, Facts, Truth, compile_condition
from scoring.remembered_parts import REMEMBERED_NUMBERS, remember_part


class CriterionPoints(NamedTuple):
    """Points of one criterion in hundredths; `level` and `discount` are indexes in the rulebook.

    `least` and `most` are the limits of the points still possible. An unanswered criterion has
    `level` None, and 0 points or those that are certain. `open_discounts` are those of unknown
    truth that are smaller than each that holds.
    """

    level: int | None
    full_points: int
    points: int
    discount: int | None
    least: int
    most: int
    is_open: bool
    open_discounts: tuple[int, ...]


class Sums(NamedTuple):
    """Domain sums, domain points after clamp and gate, and totals, each in rulebook order."""

    domain_sums: tuple[int, ...]
    domain_points: tuple[int, ...]
    totals: tuple[int, ...]


WeighCriterion = Callable[[Facts], CriterionPoints]
LevelResult = tuple[int | None, tuple[int, ...]]
"""Index and points of the level that applies, or None and the points of every possible level."""


def to_hundredths(points: Decimal) -> int:
    """Return exact points as a whole number of hundredths."""
    return int(points * 100)


def find_band_start(band: Band) -> int | None:
    """Return the lowest hundredths in the band, or None for the lowest band."""
    if band.above is not None:
        return to_hundredths(band.above) + 1
    return None if band.from_ is None else to_hundredths(band.from_)


def compile_criterion(
    criterion: Criterion, questions: Mapping[str, Question], *, counts_certain_points: bool = False
) -> WeighCriterion:
    """Compile the criterion into a function from facts to its points.

    With `counts_certain_points` an unanswered criterion gives what every level still possible
    gives at least.
    """
    levels = [
        (compile_condition(level.when, questions), to_hundredths(level.points))
        for level in criterion.level
    ]
    tests = [compile_condition(discount.when, questions) for discount in criterion.discount]
    factors = [to_hundredths(discount.factor) for discount in criterion.discount]

    @cache
    def weight(
        level: int | None, possible: tuple[int, ...], truths: tuple[Truth, ...]
    ) -> CriterionPoints:
        discount, factor = _find_smallest(factors, truths, (True,))
        _, least_factor = _find_smallest(factors, truths, (True, None))
        full = possible[0] if level is not None else 0
        least = min(_discount(points, least_factor) for points in possible)
        most = max(_discount(points, factor) for points in possible)
        certain = max(least, min(0, most)) if counts_certain_points else 0
        return CriterionPoints(
            level,
            full,
            certain if level is None else _discount(full, factor),
            discount if full > 0 else None,
            least,
            most,
            level is None or (full > 0 and None in truths),
            tuple(
                index
                for index, truth in enumerate(truths)
                if truth is None and factors[index] < factor
            ),
        )

    def weigh(facts: Facts) -> CriterionPoints:
        return weight(*_read_levels(levels, facts), tuple([holds(facts) for holds in tests]))

    conditions = [level.when for level in criterion.level]
    conditions += [discount.when for discount in criterion.discount]
    return remember_part(list_subjects(*conditions), weigh)


class PointsAdder:
    """Adds the points of a rulebook's criteria up to domains and totals, in hundredths."""

    def __init__(self, rulebook: Rulebook) -> None:
        indexes = {domain.id: index for index, domain in enumerate(rulebook.domain)}
        self._domain_indexes = [indexes[criterion.domain] for criterion in rulebook.criterion]
        self._bounds = [
            (to_hundredths(domain.floor), to_hundredths(domain.ceiling))
            for domain in rulebook.domain
        ]
        self._gates = [
            (
                indexes[gate.domain],
                [indexes[name] for name in gate.needs],
                to_hundredths(gate.at_least),
            )
            for gate in rulebook.gate
        ]
        self._totals = [[indexes[name] for name in total.domains] for total in rulebook.total]
        self._sum_domains = lru_cache(REMEMBERED_NUMBERS)(self._calculate_totals)

    def find_domain(self, criterion: int) -> int:
        """Return the index of the domain of the criterion at this index."""
        return self._domain_indexes[criterion]

    def calculate_sums(self, points: Sequence[int]) -> Sums:
        """Return the sums of one number of points for each criterion, in rulebook order."""
        domains = [0] * len(self._bounds)
        for index, criterion_points in zip(self._domain_indexes, points, strict=True):
            domains[index] += criterion_points
        return self._sum_domains(tuple(domains))

    def remove_criterion(self, sums: Sums, criterion: int, points: int) -> Sums:
        """Return the sums without the points of the criterion at this index."""
        return self.add_changes(sums, [(criterion, -points)])

    def add_changes(self, sums: Sums, changes: Iterable[tuple[int, int]]) -> Sums:
        """Return the sums after these changes of points, each with the index of its criterion."""
        domains = list(sums.domain_sums)
        for criterion, points in changes:
            domains[self._domain_indexes[criterion]] += points
        return self._sum_domains(tuple(domains))

    def _calculate_totals(self, domains: tuple[int, ...]) -> Sums:
        clamped = [
            floor if points < floor else min(points, ceiling)
            for points, (floor, ceiling) in zip(domains, self._bounds, strict=True)
        ]
        gated = clamped.copy()
        for domain, needs, least in self._gates:
            if sum(map(clamped.__getitem__, needs)) < least:
                gated[domain] = 0
        totals = [sum(map(gated.__getitem__, members)) for members in self._totals]
        return Sums(domains, tuple(gated), tuple(totals))


def _read_levels(levels: Sequence[tuple[CompiledCondition, int]], facts: Facts) -> LevelResult:
    possible: list[int] = []
    for index, (holds, points) in enumerate(levels):
        truth = holds(facts)
        if truth is False:
            continue
        if truth and not possible:
            return index, (points,)
        possible.append(points)
        if truth:
            break
    return None, tuple(possible)


def _find_smallest(
    factors: Sequence[int], truths: Sequence[Truth], accepted: tuple[Truth, ...]
) -> tuple[int | None, int]:
    """Return index and factor of the smallest discount with an accepted truth, or None and 100."""
    smallest_index, smallest = None, 100
    for index, (truth, factor) in enumerate(zip(truths, factors, strict=True)):
        if truth in accepted and factor < smallest:
            smallest_index, smallest = index, factor
    return smallest_index, smallest


def _discount(points: int, factor: int) -> int:
    return points * factor // 100 if points > 0 else points


@cache
def to_points(points: int) -> Decimal:
    """Return hundredths as exact points."""
    return Decimal(points) / 100
