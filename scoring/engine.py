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
from scoring.weighing import Sums, Weight, exact


class WeighedIntake(NamedTuple):
    """The points of each criterion, and the sums: current, least possible and most possible."""

    weights: list[Weight]
    now: Sums
    least: Sums
    most: Sums


def assess(
    loaded: LoadedRulebook, answers: Mapping[str, Any], *, attested: bool = False
) -> Assessment:
    """Assess one intake. The assessment is never a diagnosis.

    `answers` follow the rulebook's answer model; absent or None means not answered. `attested`
    means that a clinician is named for the clinician's answers. Raises UnknownQuestionError.
    """
    facts = loaded.facts(answers)
    safety_result = safety.safety(loaded, facts)
    scope = safety.scope(loaded, facts)
    parts: dict[str, Any] = dict.fromkeys(Assessment.model_fields)
    parts.update(
        rulebook=loaded.name,
        rulebook_sha256=loaded.sha256,
        safety=safety_result.safety,
        scope=scope,
    )
    if safety_result.withholds:
        parts.update(status="withheld_red_flag")
    elif scope.reasons:
        parts.update(
            status="out_of_scope",
            gradings=clinical_context.gradings(loaded, facts),
            derived=_shown_derived_values(loaded, facts),
        )
    else:
        parts.update(_score(loaded, facts))
    shown = [
        *safety_result.safety.flags,
        *(parts["criteria"] or ()),
        *(parts["gradings"] or {}).values(),
        *(parts["findings"] or ()),
        *(parts["next_steps"] or ()),
    ]
    parts.update(limitations=clinical_context.limitations(loaded, facts, shown, attested=attested))
    return Assessment(**parts)


def weigh(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> WeighedIntake:
    """Return points, totals and their range in hundredths. Raises UnknownQuestionError."""
    return _weighed(loaded, loaded.facts(answers))


def _weighed(loaded: LoadedRulebook, facts: Facts) -> WeighedIntake:
    weights = loaded.weights(facts)
    return WeighedIntake(
        weights,
        loaded.adder.add_up([weight.points for weight in weights]),
        loaded.adder.add_up([weight.least for weight in weights]),
        loaded.adder.add_up([weight.most for weight in weights]),
    )


def _score(loaded: LoadedRulebook, facts: Facts) -> dict[str, Any]:
    weighed = _weighed(loaded, facts)
    status = _status(loaded, weighed, facts)
    banded = loaded.banded
    band = None
    if status == "scored" and banded is not None:
        band = scale.band_given(loaded, weighed.now, banded, facts)
    picture = scale.picture(loaded, weighed.now, facts, named=status == "scored")
    return {
        "status": status,
        "totals": {
            total.id: TotalPoints(
                points=exact(weighed.now.totals[index]),
                range=Range(
                    least=exact(weighed.least.totals[index]), most=exact(weighed.most.totals[index])
                ),
                band=band.id if band and index == banded else None,
                meaning=band.meaning if band and index == banded else None,
            )
            for index, total in enumerate(loaded.rulebook.total)
        },
        "picture": picture,
        "domains": _domain_points(loaded, weighed.now),
        "criteria": tuple(
            [
                show(weight, facts)
                for show, weight in zip(loaded.shown, weighed.weights, strict=True)
            ]
        ),
        "missing": what_if_analysis.missing(loaded, weighed.weights, facts),
        "what_if": what_if_analysis.what_if(
            loaded, weighed.weights, weighed.now, facts, band.id if band else None
        ),
        "gradings": clinical_context.gradings(loaded, facts),
        "derived": _shown_derived_values(loaded, facts),
        "patterns": clinical_context.patterns(loaded, facts),
        "findings": clinical_context.findings(loaded, facts),
        "next_steps": clinical_context.next_steps(
            loaded, facts, status, picture.id if picture else None
        ),
    }


def _status(loaded: LoadedRulebook, weighed: WeighedIntake, facts: Facts) -> Status:
    header = loaded.rulebook.rulebook
    if any(facts.get(name) is None for name in header.must_answer):
        return "insufficient_information"
    index = loaded.banded
    if index is None:
        return "scored"
    apart = scale.bands_apart(loaded, weighed.least.totals[index], weighed.most.totals[index])
    return "insufficient_information" if apart > header.bands_apart else "scored"


def _domain_points(loaded: LoadedRulebook, sums: Sums) -> tuple[DomainPoints, ...]:
    return tuple(
        DomainPoints(
            id=domain.id,
            label=domain.label,
            points=exact(points),
            sum=exact(added),
            floor=domain.floor,
            ceiling=domain.ceiling,
        )
        for domain, added, points in zip(
            loaded.rulebook.domain, sums.domains, sums.counted, strict=True
        )
    )


def _shown_derived_values(loaded: LoadedRulebook, facts: Facts) -> dict[str, Any]:
    return {
        derived.id: facts.get(derived.id) for derived in loaded.rulebook.derived if derived.shown
    }
