"""Weighs the facts of one intake: points of each criterion, and their sums on three sides."""

from typing import NamedTuple

from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.weighing import CriterionPoints, Sums


class WeighedIntake(NamedTuple):
    """The points of each criterion, and the sums: current, least possible and most possible."""

    criteria: list[CriterionPoints]
    current: Sums
    least: Sums
    most: Sums


def weigh_facts(loaded: LoadedRulebook, facts: Facts) -> WeighedIntake:
    """Return points, totals and their range in hundredths."""
    weights = loaded.weigh_criteria(facts)
    return WeighedIntake(
        weights,
        loaded.adder.calculate_sums([weight.points for weight in weights]),
        loaded.adder.calculate_sums([weight.least for weight in weights]),
        loaded.adder.calculate_sums([weight.most for weight in weights]),
    )
