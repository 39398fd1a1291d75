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

from schemas.conditions import statements
from schemas.rulebook import Band, Criterion, Question, Rulebook
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
Reading = tuple[int | None, tuple[int, ...]]
"""The level that applies with its points, or None with the points of each still possible."""


def hundredths(points: Decimal) -> int:
    """Exact points as a whole number of hundredths."""
    return int(points * 100)


def band_start(band: Band) -> int | None:
    """The least hundredths in the band; None for the lowest, which starts nowhere."""
    if band.above is not None:
        return hundredths(band.above) + 1
    return None if band.from_ is None else hundredths(band.from_)


def weigher(criterion: Criterion, questions: Mapping[str, Question]) -> Weigh:
    """The criterion as a function from facts to its weight."""
    read = _reader(criterion, questions)
    tests = [test(each.when, questions) for each in criterion.discount]
    factors = [hundredths(each.factor) for each in criterion.discount]

    @cache
    def weight(level: int | None, possible: tuple[int, ...], truths: tuple[Truth, ...]) -> Weight:
        holding, factor = _smallest(factors, truths, (True,))
        _, least_factor = _smallest(factors, truths, (True, None))
        full = possible[0] if level is not None else 0
        return Weight(
            level,
            full,
            _discounted(full, factor),
            holding if full > 0 else None,
            min(_discounted(each, least_factor) for each in possible),
            max(_discounted(each, factor) for each in possible),
            level is None or (full > 0 and None in truths),
        )

    def weigh(facts: Facts) -> Weight:
        return weight(*read(facts), tuple([holds(facts) for holds in tests]))

    return weigh


def closed(criterion: Criterion, questions: Mapping[str, Question]) -> str | None:
    """The one question that the levels read, where its few answers can be listed beforehand."""
    subjects = {each.subject for level in criterion.level for each in statements(level.when)}
    question = questions.get(subjects.pop()) if len(subjects) == 1 else None
    return question.id if question and question.kind in ("boolean", "choice") else None


class Adder:
    """The sums of a rulebook, from one number of hundredths for each criterion."""

    def __init__(self, rulebook: Rulebook) -> None:
        place = {domain.id: index for index, domain in enumerate(rulebook.domain)}
        self._home = [place[criterion.domain] for criterion in rulebook.criterion]
        self._bounds = [
            (hundredths(domain.floor), hundredths(domain.ceiling)) for domain in rulebook.domain
        ]
        self._gates = [
            (place[gate.domain], [place[name] for name in gate.needs], hundredths(gate.at_least))
            for gate in rulebook.gate
        ]
        self._totals = [[place[name] for name in total.domains] for total in rulebook.total]

    def add_up(self, points: Sequence[int]) -> Sums:
        """The sums of these points."""
        domains = [0] * len(self._bounds)
        for index, each in zip(self._home, points, strict=True):
            domains[index] += each
        return self._counted(domains)

    def without(self, sums: Sums, criterion: int, points: int) -> Sums:
        """The sums as they would be if the criterion, which gives these points, gave none."""
        home = self._home[criterion]
        domains = sums.domains.copy()
        domains[home] -= points
        if self._clamped(home, domains[home]) == self._clamped(home, sums.domains[home]):
            return sums._replace(domains=domains)
        return self._counted(domains)

    def _clamped(self, domain: int, added: int) -> int:
        floor, ceiling = self._bounds[domain]
        return max(floor, min(added, ceiling))

    def _counted(self, domains: list[int]) -> Sums:
        clamped = [self._clamped(domain, added) for domain, added in enumerate(domains)]
        counted = clamped.copy()
        for gated, needs, least in self._gates:
            if sum(map(clamped.__getitem__, needs)) < least:
                counted[gated] = 0
        totals = [sum(map(counted.__getitem__, domains_added)) for domains_added in self._totals]
        return Sums(domains, counted, totals)


def _reader(criterion: Criterion, questions: Mapping[str, Question]) -> Callable[[Facts], Reading]:
    levels = [(test(level.when, questions), hundredths(level.points)) for level in criterion.level]
    asked = closed(criterion, questions)
    if asked is None:
        return lambda facts: _read(levels, facts)
    answers = (None, True, False, *(option.id for option in questions[asked].options))
    table = {answer: _read(levels, {asked: answer}) for answer in answers}
    return lambda facts: table[facts.get(asked)]


def _read(levels: Sequence[tuple[Test, int]], facts: Facts) -> Reading:
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


def _smallest(
    factors: Sequence[int], truths: Sequence[Truth], counting: tuple[Truth, ...]
) -> tuple[int | None, int]:
    """The place and the factor of the smallest discount whose truth counts; 100 where none does."""
    place, smallest = None, 100
    for index, (truth, factor) in enumerate(zip(truths, factors, strict=True)):
        if truth in counting and factor < smallest:
            place, smallest = index, factor
    return place, smallest


def _discounted(points: int, factor: int) -> int:
    return points * factor // 100 if points > 0 else points


@cache
def exact(points: int) -> Decimal:
    """Hundredths as exact points."""
    return Decimal(points) / 100
