"""The engine: one intake in, one assessment out. Pure, three-valued, exact, deterministic.

It knows nothing of any condition: what is asked, weighed and said stands in the rulebook.
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


class Points(NamedTuple):
    """What was weighed: each criterion, and the sums as they stand, at the least, at the most."""

    weights: list[Weight]
    now: Sums
    least: Sums
    most: Sums


def assess(
    loaded: LoadedRulebook, answers: Mapping[str, Any], *, attested: bool = False
) -> Assessment:
    """How far the answers point to what is screened for, with every reason. Never a diagnosis.

    `answers` are those of the rulebook's answer model; absent or None means not answered.
    `attested` says that a clinician is named for the clinician's answers. Raises
    UnknownQuestionError.
    """
    facts = loaded.facts(answers)
    reading = safety.safety(loaded, facts)
    scope = safety.scope(loaded, facts)
    parts: dict[str, Any] = dict.fromkeys(Assessment.model_fields)
    parts.update(
        rulebook=loaded.name, rulebook_sha256=loaded.sha256, safety=reading.safety, scope=scope
    )
    if reading.withholds:
        parts.update(status="withheld_red_flag")
    elif scope.reasons:
        parts.update(
            status="out_of_scope",
            gradings=clinical_context.gradings(loaded, facts),
            derived=_derived(loaded, facts),
        )
    else:
        parts.update(_scored(loaded, facts))
    shown = [
        *reading.safety.flags,
        *(parts["criteria"] or ()),
        *(parts["gradings"] or {}).values(),
        *(parts["findings"] or ()),
        *(parts["next_steps"] or ()),
    ]
    parts.update(limitations=clinical_context.limitations(loaded, facts, shown, attested=attested))
    return Assessment(**parts)


def weigh(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> Points:
    """Points, totals and their range alone, in hundredths. Raises UnknownQuestionError."""
    return _weighed(loaded, loaded.facts(answers))


def _weighed(loaded: LoadedRulebook, facts: Facts) -> Points:
    weights = loaded.weights(facts)
    return Points(
        weights,
        loaded.adder.add_up([weight.points for weight in weights]),
        loaded.adder.add_up([weight.least for weight in weights]),
        loaded.adder.add_up([weight.most for weight in weights]),
    )


def _scored(loaded: LoadedRulebook, facts: Facts) -> dict[str, Any]:
    points = _weighed(loaded, facts)
    status = _status(loaded, points, facts)
    banded = loaded.banded
    band = None
    if status == "scored" and banded is not None:
        band = scale.band_given(loaded, points.now, banded, facts)
    picture = scale.picture(loaded, points.now, facts, named=status == "scored")
    return {
        "status": status,
        "totals": {
            total.id: TotalPoints(
                points=exact(points.now.totals[place]),
                range=Range(
                    least=exact(points.least.totals[place]), most=exact(points.most.totals[place])
                ),
                band=band.id if band and place == banded else None,
                meaning=band.meaning if band and place == banded else None,
            )
            for place, total in enumerate(loaded.rulebook.total)
        },
        "picture": picture,
        "domains": _domains(loaded, points.now),
        "criteria": tuple(
            [show(weight, facts) for show, weight in zip(loaded.shown, points.weights, strict=True)]
        ),
        "missing": what_if_analysis.missing(loaded, points.weights, facts),
        "what_if": what_if_analysis.what_if(
            loaded, points.weights, points.now, facts, band.id if band else None
        ),
        "gradings": clinical_context.gradings(loaded, facts),
        "derived": _derived(loaded, facts),
        "patterns": clinical_context.patterns(loaded, facts),
        "findings": clinical_context.findings(loaded, facts),
        "next_steps": clinical_context.next_steps(
            loaded, facts, status, picture.id if picture else None
        ),
    }


def _status(loaded: LoadedRulebook, points: Points, facts: Facts) -> Status:
    header = loaded.rulebook.rulebook
    if any(facts.get(name) is None for name in header.must_answer):
        return "insufficient_information"
    place = loaded.banded
    if place is None:
        return "scored"
    apart = scale.bands_apart(loaded, points.least.totals[place], points.most.totals[place])
    return "insufficient_information" if apart > header.bands_apart else "scored"


def _domains(loaded: LoadedRulebook, sums: Sums) -> tuple[DomainPoints, ...]:
    return tuple(
        DomainPoints(
            id=domain.id,
            label=domain.label,
            points=exact(counted),
            sum=exact(added),
            floor=domain.floor,
            ceiling=domain.ceiling,
        )
        for domain, added, counted in zip(
            loaded.rulebook.domain, sums.domains, sums.counted, strict=True
        )
    )


def _derived(loaded: LoadedRulebook, facts: Facts) -> dict[str, Any]:
    return {each.id: facts.get(each.id) for each in loaded.rulebook.derived if each.shown}
