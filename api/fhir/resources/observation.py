"""What was computed, as an Observation: red flags first, then totals, then one part a criterion.

What was withheld has no value and says why; what was not answered has none either.
"""

from api.fhir.elements import (
    TERMINOLOGY,
    Resource,
    Version,
    coded,
    identifier,
    local,
    named,
    reference,
    software,
    subject,
)
from schemas.assessment import TotalPoints, WeighedCriterion
from schemas.base import Exact, plain_number
from schemas.rulebook import Band, Total

_UCUM = "http://unitsofmeasure.org"
_ABSENT = f"{TERMINOLOGY}/data-absent-reason"
NOT_A_DIAGNOSIS = "Decision support for a clinician. Not a diagnosis."


def observation(version: Version) -> Resource:
    """The Observation of one screening."""
    assessment, rulebook = version.screening.assessment, version.loaded.rulebook
    main = main_total(version)
    return named("Observation", version) | {
        "identifier": [identifier(version, "Observation")],
        "status": status(version),
        "category": [coded(f"{TERMINOLOGY}/observation-category", "survey", "Survey")],
        "code": local(version, main.id, f"{rulebook.rulebook.title}: {main.label}"),
        "subject": subject(version),
        "effectiveDateTime": version.answered,
        "issued": version.kept,
        "method": {"text": f"{assessment.rulebook}, SHA-256 {assessment.rulebook_sha256}"},
        "device": software(version),
        **_value(version, main.id),
        **_band(version, main.id),
        **({"referenceRange": ranges} if (ranges := _ranges(rulebook.band)) else {}),
        "derivedFrom": [reference("QuestionnaireResponse", version)],
        "note": [{"text": text} for text in _notes(version)],
        "component": [
            *_safety(version),
            *_totals(version, main),
            *_criteria(version),
        ],
    }


def _notes(version: Version) -> list[str]:
    """What it cannot claim, and what the client had computed otherwise."""
    fhir = version.screening.context.fhir
    differences = fhir.differences if fhir is not None else ()
    return [NOT_A_DIAGNOSIS, *differences, *version.screening.assessment.limitations]


def main_total(version: Version) -> Total:
    """The total that bands are read from, or else the first."""
    totals = version.loaded.rulebook.total
    return next((each for each in totals if each.banded), totals[0])


def status(version: Version) -> str:
    """What the resources of a screening are worth now."""
    if version.screening.entered_in_error is not None:
        return "entered-in-error"
    return "amended" if version.corrects else "final"


def why_absent(version: Version) -> Resource:
    """Why there is no score."""
    wording = version.loaded.rulebook.wording
    if version.screening.assessment.status == "out_of_scope":
        return _absent("not-applicable", wording.out_of_scope)
    return _absent("not-performed", wording.withheld)


def _absent(code: str, text: str) -> Resource:
    return coded(_ABSENT, code) | {"text": text}


def _total(version: Version, total: str) -> TotalPoints | None:
    return (version.screening.assessment.totals or {}).get(total)


def _value(version: Version, total: str) -> Resource:
    found = _total(version, total)
    if found is None:
        return {"dataAbsentReason": why_absent(version)}
    return {"valueQuantity": _quantity(found.points)}


def _quantity(points: Exact) -> Resource:
    return {
        "value": plain_number(points),
        "unit": "{score}",
        "system": _UCUM,
        "code": "{score}",
    }


def _band(version: Version, total: str) -> Resource:
    """The band, where it was given, in the words of the rulebook."""
    found = _total(version, total)
    band = next((b for b in version.loaded.rulebook.band if found and b.id == found.band), None)
    if band is None:
        return {}
    told = coded(version.base.bands(version.instrument), band.id, band.label)
    return {"interpretation": [told | {"text": f"{band.label}: {band.meaning}"}]}


def _ranges(bands: tuple[Band, ...]) -> list[Resource]:
    """Each band with where it starts; where it starts above a number, only the words say so."""
    told = []
    for band in bands:
        if band.from_ is not None:
            low = {"low": _quantity(band.from_)}
            told.append(low | {"text": f"{band.label}: from {plain_number(band.from_)}"})
        elif band.above is not None:
            told.append({"text": f"{band.label}: above {plain_number(band.above)}"})
        else:
            told.append({"text": f"{band.label}: below all others"})
    return told


def _safety(version: Version) -> list[Resource]:
    """The most urgent tier, and each red flag that is present."""
    safety = version.screening.assessment.safety
    tiers = {tier.id: tier.label for tier in version.loaded.rulebook.tier}
    if not tiers:
        return []
    words = version.loaded.rulebook.wording
    none = words.no_flag_asked if safety.all_asked else words.no_flag
    tier = {
        "code": local(version, "safety", "Red flags"),
        "valueCodeableConcept": local(version, f"tier.{safety.tier}", tiers.get(safety.tier, none)),
    }
    flags = [
        {
            "code": local(version, f"flag.{flag.id}", flag.label),
            "valueCodeableConcept": {"text": f"{flag.tier}: {flag.action}"},
        }
        for flag in safety.flags
    ]
    return [tier, *flags]


def _totals(version: Version, main: Total) -> list[Resource]:
    """The other totals, and the range that the main one can still come to lie in."""
    others = [each for each in version.loaded.rulebook.total if each.id != main.id]
    told = [
        {"code": local(version, each.id, each.label), **_value(version, each.id)} for each in others
    ]
    found = _total(version, main.id)
    if found is not None:
        for name, points in (("least", found.range.least), ("most", found.range.most)):
            told.append(
                {
                    "code": local(version, f"{main.id}.{name}", f"{main.label}, at the {name}"),
                    "valueQuantity": _quantity(points),
                }
            )
    return told


def _criteria(version: Version) -> list[Resource]:
    weighed = version.screening.assessment.criteria
    if weighed is not None:
        return [_criterion(version, each) for each in weighed]
    return [
        {"code": local(version, each.id, each.label), "dataAbsentReason": why_absent(version)}
        for each in version.loaded.rulebook.criterion
    ]


def _criterion(version: Version, weighed: WeighedCriterion) -> Resource:
    code = {"code": local(version, weighed.id, weighed.label)}
    if weighed.points is None:
        return code | {"dataAbsentReason": _absent("unknown", weighed.because)}
    return code | {
        "valueQuantity": _quantity(weighed.points),
        "interpretation": [{"text": f"{weighed.verdict}: {weighed.because}"}],
    }
