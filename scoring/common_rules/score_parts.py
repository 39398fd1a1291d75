"""Builds the parts of an assessment that follow from the points, for both generations of rules."""

from decimal import Decimal
from functools import lru_cache
from typing import Any

from pydantic import MISSING

from schemas.assessments.assessment import (
    BandRange,
    DomainPoints,
    MissingAnswer,
    Range,
    TotalPoints,
    WeighedCriterion,
)
from schemas.rulebooks.rulebook import Band
from scoring.answers.intake_facts import IntakeFacts
from scoring.common_rules import clinical_context, what_if_analysis
from scoring.common_rules.weighed_intake import WeighedIntake
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.explanation import NOT_ASKED
from scoring.remembered_parts import REMEMBERED_NUMBERS
from scoring.weighing import Sums, to_points


def build_score_parts(
    loaded: LoadedRulebook, intake: IntakeFacts, weighed_intake: WeighedIntake, band: Band | None
) -> dict[str, Any]:
    """Return the parts by the names of their fields; without bands where `band` is None."""
    facts = intake.facts
    return {
        "domains": list_domain_points(loaded, weighed_intake.current),
        "criteria": list_criteria(loaded, intake, weighed_intake),
        "what_if": what_if_analysis.calculate_what_ifs(
            loaded,
            weighed_intake.criteria,
            weighed_intake.current,
            facts,
            band.id if band else None,
        ),
        "gradings": clinical_context.apply_gradings(loaded, facts),
        "derived": list_shown_values(loaded, facts),
        "patterns": clinical_context.match_patterns(loaded, facts),
        "findings": clinical_context.list_findings_in_context(loaded, facts),
    }


def list_totals(
    loaded: LoadedRulebook,
    weighed_intake: WeighedIntake,
    band: Band | None,
    band_range: BandRange | MISSING | None = MISSING,
) -> dict[str, TotalPoints]:
    """Return each total by its id, the banded one with its band."""
    is_ranged = band_range is not MISSING
    totals = {}
    for index, total in enumerate(loaded.rulebook.total):
        is_banded = index == loaded.banded_total_index
        totals[total.id] = _build_total(
            weighed_intake.current.totals[index],
            (weighed_intake.least.totals[index], weighed_intake.most.totals[index]),
            (band.id, band.meaning) if band and is_banded else (None, None),
            band_range if is_banded or not is_ranged else None,
        )
    return totals


def list_criteria(
    loaded: LoadedRulebook, intake: IntakeFacts, weighed_intake: WeighedIntake
) -> tuple[WeighedCriterion, ...]:
    """Return the result of each criterion, in rulebook order."""
    facts = intake.facts
    if intake.not_asked:
        facts = {**facts, **dict.fromkeys(intake.not_asked, NOT_ASKED)}
    builders = zip(loaded.result_builders, weighed_intake.criteria, strict=True)
    return tuple([build(facts, weight) for build, weight in builders])


def list_domain_points(loaded: LoadedRulebook, sums: Sums) -> tuple[DomainPoints, ...]:
    """Return the sum and the points of each domain, in rulebook order."""
    return tuple(
        _build_domain(domain.id, domain.label, (domain.floor, domain.ceiling), domain_sum, points)
        for domain, domain_sum, points in zip(
            loaded.rulebook.domain, sums.domain_sums, sums.domain_points, strict=True
        )
    )


def list_shown_values(loaded: LoadedRulebook, facts: Facts) -> dict[str, Any]:
    """Return the derived values that a report shows, by id."""
    return {
        derived.id: facts.get(derived.id) for derived in loaded.rulebook.derived if derived.shown
    }


@lru_cache(REMEMBERED_NUMBERS)
def build_missing_answer(question: str, swing: int | None) -> MissingAnswer:
    """Return a missing answer with its swing in hundredths, if it has one."""
    return MissingAnswer(question=question, swing=None if swing is None else to_points(swing))


@lru_cache(REMEMBERED_NUMBERS)
def _build_total(
    points: int,
    ends: tuple[int, int],
    band: tuple[str, str] | tuple[None, None],
    band_range: BandRange | MISSING | None,
) -> TotalPoints:
    least, most = map(to_points, ends)
    return TotalPoints(
        points=to_points(points),
        range=Range(least=least, most=most),
        band=band[0],
        meaning=band[1],
        band_range=band_range,
    )


@lru_cache(REMEMBERED_NUMBERS)
def _build_domain(
    name: str, label: str, bounds: tuple[Decimal, Decimal], domain_sum: int, points: int
) -> DomainPoints:
    return DomainPoints(
        id=name,
        label=label,
        points=to_points(points),
        sum=to_points(domain_sum),
        floor=bounds[0],
        ceiling=bounds[1],
    )
