"""Calculates points and their possible range from facts, in whole hundredths.

The levels of a criterion are tested in order, in three-valued logic. Discounts multiply positive
points only. A domain adds its criteria and clamps the sum between floor and ceiling, a gate may
zero a domain, and a total adds domains. The sums are calculated three times: current, least and
most.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from schemas.rulebooks.conditions import iterate_statements
from schemas.rulebooks.rulebook import Band, Criterion, Question, Rulebook
from scoring.conditions import CompiledCondition, Facts, Truth, compile_condition


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

    domain_sums: list[int]
    domain_points: list[int]
    totals: list[int]


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
    read_level = _compile_levels(criterion, questions)
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
        return weight(*read_level(facts), tuple([holds(facts) for holds in tests]))

    return weigh


def find_enumerable_question(criterion: Criterion, questions: Mapping[str, Question]) -> str | None:
    """Return the only question the levels read, if it is a boolean or a choice; otherwise None."""
    subjects = {
        statement.subject
        for level in criterion.level
        for statement in iterate_statements(level.when)
    }
    question = questions.get(subjects.pop()) if len(subjects) == 1 else None
    return question.id if question and question.kind in ("boolean", "choice") else None


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

    def find_domain(self, criterion: int) -> int:
        """Return the index of the domain of the criterion at this index."""
        return self._domain_indexes[criterion]

    def calculate_sums(self, points: Sequence[int]) -> Sums:
        """Return the sums of one number of points for each criterion, in rulebook order."""
        domains = [0] * len(self._bounds)
        for index, criterion_points in zip(self._domain_indexes, points, strict=True):
            domains[index] += criterion_points
        return self._sum_domains(domains)

    def remove_criterion(self, sums: Sums, criterion: int, points: int) -> Sums:
        """Return the sums without the points of the criterion at this index."""
        domain = self._domain_indexes[criterion]
        domains = sums.domain_sums.copy()
        domains[domain] -= points
        if self._clamp(domain, domains[domain]) == self._clamp(domain, sums.domain_sums[domain]):
            return sums._replace(domain_sums=domains)
        return self._sum_domains(domains)

    def add_changes(self, sums: Sums, changes: Iterable[tuple[int, int]]) -> Sums:
        """Return the sums after these changes of points, each with the index of its criterion."""
        domains = sums.domain_sums.copy()
        for criterion, points in changes:
            domains[self._domain_indexes[criterion]] += points
        return self._sum_domains(domains)

    def _clamp(self, domain: int, points: int) -> int:
        floor, ceiling = self._bounds[domain]
        return max(floor, min(points, ceiling))

    def _sum_domains(self, domains: list[int]) -> Sums:
        clamped = [self._clamp(domain, points) for domain, points in enumerate(domains)]
        gated = clamped.copy()
        for domain, needs, least in self._gates:
            if sum(map(clamped.__getitem__, needs)) < least:
                gated[domain] = 0
        totals = [sum(map(gated.__getitem__, members)) for members in self._totals]
        return Sums(domains, gated, totals)


def _compile_levels(
    criterion: Criterion, questions: Mapping[str, Question]
) -> Callable[[Facts], LevelResult]:
    levels = [
        (compile_condition(level.when, questions), to_hundredths(level.points))
        for level in criterion.level
    ]
    question = find_enumerable_question(criterion, questions)
    if question is None:
        return lambda facts: _read_levels(levels, facts)
    answers = (None, True, False, *(option.id for option in questions[question].options))
    table = {answer: _read_levels(levels, {question: answer}) for answer in answers}
    return lambda facts: table[facts.get(question)]


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
