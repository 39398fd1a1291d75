"""Recalculates the banded total and its band without single criteria."""

from collections.abc import Sequence

from schemas.assessments.assessment import WhatIf
from scoring.common_rules.scale import select_band
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.weighing import CriterionPoints, Sums, to_points


def calculate_what_ifs(
    loaded: LoadedRulebook,
    weights: Sequence[CriterionPoints],
    sums: Sums,
    facts: Facts,
    band: str | None,
) -> tuple[WhatIf, ...]:
    """Return the banded total and its band without each criterion that gives points, in turn."""
    banded = loaded.banded_total_index
    if banded is None:
        return ()
    what_ifs = []
    for index, (criterion, weight) in enumerate(
        zip(loaded.rulebook.criterion, weights, strict=True)
    ):
        if weight.points:
            sums_without = loaded.adder.remove_criterion(sums, index, weight.points)
            new_band = select_band(loaded, sums_without, facts) if band else None
            what_ifs.append(
                WhatIf(
                    criterion=criterion.id,
                    points=to_points(sums_without.totals[banded]),
                    band=new_band.id if new_band else None,
                    changes_band=new_band.id != band if new_band else None,
                )
            )
    return tuple(what_ifs)
