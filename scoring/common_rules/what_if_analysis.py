"""Recalculates the banded total and its band without single criteria."""

from collections.abc import Sequence
from functools import lru_cache

from schemas.assessments.assessment import WhatIf
from scoring.common_rules.scale import select_band
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.remembered_parts import REMEMBERED_NUMBERS
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
                _build_what_if(
                    criterion.id,
                    sums_without.totals[banded],
                    new_band.id if new_band else None,
                    band,
                )
            )
    return tuple(what_ifs)


@lru_cache(REMEMBERED_NUMBERS)
def _build_what_if(criterion: str, points: int, band: str | None, old_band: str | None) -> WhatIf:
    return WhatIf(
        criterion=criterion,
        points=to_points(points),
        band=band,
        changes_band=None if band is None else band != old_band,
    )
