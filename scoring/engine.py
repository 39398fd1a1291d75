"""Assesses one intake against a rulebook: pure, exact and deterministic.

The engine contains no clinical content; questions, points and sentences come from the rulebook.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.assessment import (
    Assessment,
    DomainPoints,
    Range,
    Status,
    TotalPoints,
)
from scoring import clinical_context, safety, scale, what_if_analysis
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.weighing import CriterionPoints, Sums, to_points


class WeighedIntake(NamedTuple):
    """The points of each criterion, and the sums: current, least possible and most possible."""

    criteria: list[CriterionPoints]
    current: Sums
    least: Sums
    most: Sums


def assess(
    loaded: LoadedRulebook, answers: Mapping[str, Any], *, attested: bool = False
) -> Assessment:
    """Assess one intake. The assessment is never a diagnosis.

    `answers` follow the rulebook's answer model; absent or None means not answered. `attested`
    means that a clinician is named for the clinician's answers. Raises UnknownQuestionError.
    """
    facts = loaded.derive_facts(answers)
    safety_result = safety.assess_safety(loaded, facts)
    scope = safety.assess_scope(loaded, facts)
    parts: dict[str, Any] = dict.fromkeys(Assessment.model_fields)
    parts.update(
        rulebook=loaded.name,
        rulebook_sha256=loaded.sha256,
        safety=safety_result.safety,
        scope=scope,
    )
    if safety_result.withholds_score:
        parts.update(status="withheld_red_flag")
    elif scope.reasons:
        parts.update(
            status="out_of_scope",
            gradings=clinical_context.apply_gradings(loaded, facts),
            derived=_shown_derived_values(loaded, facts),
        )
    else:
        parts.update(_score(loaded, facts))
    citing_parts = [
        *safety_result.safety.flags,
        *(parts["criteria"] or ()),
        *(parts["gradings"] or {}).values(),
        *(parts["findings"] or ()),
        *(parts["next_steps"] or ()),
    ]
    parts.update(
        limitations=clinical_context.list_limitations(
            loaded, facts, citing_parts, attested=attested
        )
    )
    return Assessment(**parts)


def weigh_answers(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> WeighedIntake:
    """Return points, totals and their range in hundredths. Raises UnknownQuestionError."""
    return weigh_facts(loaded, loaded.derive_facts(answers))


def weigh_facts(loaded: LoadedRulebook, facts: Facts) -> WeighedIntake:
    """Return points, totals and their range in hundredths."""
    weights = loaded.weigh_criteria(facts)
    return WeighedIntake(
        weights,
        loaded.adder.calculate_sums([weight.points for weight in weights]),
        loaded.adder.calculate_sums([weight.least for weight in weights]),
        loaded.adder.calculate_sums([weight.most for weight in weights]),
    )


def _score(loaded: LoadedRulebook, facts: Facts) -> dict[str, Any]:
    weighed_intake = weigh_facts(loaded, facts)
    status = determine_status(loaded, weighed_intake, facts)
    banded = loaded.banded_total_index
    band = None
    if status == "scored" and banded is not None:
        band = scale.select_band(loaded, weighed_intake.current, banded, facts)
    picture = scale.build_picture(
        loaded, weighed_intake.current, facts, is_identified=status == "scored"
    )
    return {
        "status": status,
        "totals": {
            total.id: TotalPoints(
                points=to_points(weighed_intake.current.totals[index]),
                range=Range(
                    least=to_points(weighed_intake.least.totals[index]),
                    most=to_points(weighed_intake.most.totals[index]),
                ),
                band=band.id if band and index == banded else None,
                meaning=band.meaning if band and index == banded else None,
            )
            for index, total in enumerate(loaded.rulebook.total)
        },
        "picture": picture,
        "domains": _domain_points(loaded, weighed_intake.current),
        "criteria": tuple(
            [
                show(weight, facts)
                for show, weight in zip(
                    loaded.result_builders, weighed_intake.criteria, strict=True
                )
            ]
        ),
        "missing": what_if_analysis.list_missing_answers(loaded, weighed_intake.criteria, facts),
        "what_if": what_if_analysis.calculate_what_ifs(
            loaded,
            weighed_intake.criteria,
            weighed_intake.current,
            facts,
            band.id if band else None,
        ),
        "gradings": clinical_context.apply_gradings(loaded, facts),
        "derived": _shown_derived_values(loaded, facts),
        "patterns": clinical_context.match_patterns(loaded, facts),
        "findings": clinical_context.list_findings_in_context(loaded, facts),
        "next_steps": clinical_context.select_next_steps(
            loaded, facts, status, picture.id if picture else None
        ),
    }


def determine_status(loaded: LoadedRulebook, weighed_intake: WeighedIntake, facts: Facts) -> Status:
    """Return the status of an intake that is in scope and not withheld."""
    header = loaded.rulebook.rulebook
    if any(facts.get(name) is None for name in header.must_answer):
        return "insufficient_information"
    index = loaded.banded_total_index
    if index is None:
        return "scored"
    apart = scale.count_bands_between(
        loaded, weighed_intake.least.totals[index], weighed_intake.most.totals[index]
    )
    return "insufficient_information" if apart > header.bands_apart else "scored"


def _domain_points(loaded: LoadedRulebook, sums: Sums) -> tuple[DomainPoints, ...]:
    return tuple(
        DomainPoints(
            id=domain.id,
            label=domain.label,
            points=to_points(points),
            sum=to_points(domain_sum),
            floor=domain.floor,
            ceiling=domain.ceiling,
        )
        for domain, domain_sum, points in zip(
            loaded.rulebook.domain, sums.domain_sums, sums.domain_points, strict=True
        )
    )


def _shown_derived_values(loaded: LoadedRulebook, facts: Facts) -> dict[str, Any]:
    return {
        derived.id: facts.get(derived.id) for derived in loaded.rulebook.derived if derived.shown
    }
