"""Builds an Observation of the results: red flags first, then totals, then the criteria.

A withheld result has no value but a reason for its absence; so has an unanswered criterion.
"""

from pydantic import MISSING

from api.documents.result_lines import (
    describe_alternative,
    describe_tier,
    find_result_words,
    list_explanations,
    list_labels,
)
from api.fhir.elements import (
    TERMINOLOGY_BASE,
    Resource,
    ResourceVersion,
    begin_resource,
    build_concept,
    build_patient_reference,
    build_reference,
    build_resource_identifier,
    build_result_concept,
    build_software_reference,
)
from api.fhir.links import build_encounter, build_order_links, list_authors
from reports.view.sections.flags import sort_by_tier
from schemas.assessments.assessment import TotalPoints, WeighedCriterion
from schemas.base import ExactDecimal, to_json_number
from schemas.rulebooks.rulebook import Band, Total

_UCUM = "http://unitsofmeasure.org"
_ABSENT = f"{TERMINOLOGY_BASE}/data-absent-reason"
NOT_A_DIAGNOSIS = "Decision support for a clinician. Not a diagnosis."


def build_observation(version: ResourceVersion) -> Resource:
    """Return the Observation of one screening."""
    assessment, rulebook = version.screening.assessment, version.loaded.rulebook
    main = find_main_total(version)
    return begin_resource("Observation", version) | {
        "identifier": [build_resource_identifier(version, "Observation")],
        **build_order_links(version),
        "status": result_status(version),
        "category": [build_concept(f"{TERMINOLOGY_BASE}/observation-category", "survey", "Survey")],
        "code": build_result_concept(version, main.id, f"{rulebook.rulebook.title}: {main.label}"),
        "subject": build_patient_reference(version),
        **build_encounter(version),
        "effectiveDateTime": version.answered_at,
        "issued": version.stored_at,
        **({"performer": authors} if (authors := list_authors(version)) else {}),
        "method": {"text": f"{assessment.rulebook}, SHA-256 {assessment.rulebook_sha256}"},
        "device": build_software_reference(version),
        **_total_value(version, main.id),
        **_interpretation(version, main.id),
        **({"referenceRange": ranges} if (ranges := _reference_ranges(rulebook.band)) else {}),
        "derivedFrom": [build_reference("QuestionnaireResponse", version)],
        "note": [{"text": text} for text in _list_notes(version)],
        "component": [
            *_safety_components(version),
            *_total_components(version, main),
            *_explanation_components(version, main),
            *_criterion_components(version),
        ],
    }


def _list_notes(version: ResourceVersion) -> list[str]:
    """Return the disclaimer, the client's differing scores, open questions and limitations."""
    assessment, fhir = version.screening.assessment, version.screening.context.fhir
    differences = fhir.differences if fhir is not None else ()
    open_questions = _describe_open_questions(version)
    return [NOT_A_DIAGNOSIS, *differences, *open_questions, *assessment.limitations]


def _describe_open_questions(version: ResourceVersion) -> list[str]:
    """Return what to ask first, and what was not asked as it does not apply."""
    rulebook, explanations = (
        version.loaded.rulebook,
        list_explanations(version.screening.assessment),
    )
    notes = []
    if labels := list_labels(rulebook, explanations.ask_first):
        notes.append(f"Ask first: {labels}.")
    if labels := list_labels(rulebook, explanations.not_asked):
        notes.append(f"Not asked, as it does not apply: {labels}.")
    return notes


def find_main_total(version: ResourceVersion) -> Total:
    """Return the total that bands are derived from, or else the first."""
    totals = version.loaded.rulebook.total
    return next((total for total in totals if total.banded), totals[0])


def result_status(version: ResourceVersion) -> str:
    """Return the FHIR status of the results of a screening."""
    if version.screening.entered_in_error is not None:
        return "entered-in-error"
    return "amended" if version.is_correction else "final"


def build_absent_reason(version: ResourceVersion) -> Resource:
    """Return the reason why there is no score."""
    rulebook, assessment = version.loaded.rulebook, version.screening.assessment
    words = find_result_words(rulebook, assessment)
    if assessment.status == "out_of_scope":
        text = words.headline if words else rulebook.wording.out_of_scope
        return _absent_reason("not-applicable", text)
    return _absent_reason("not-performed", rulebook.wording.withheld)


def _absent_reason(code: str, text: str) -> Resource:
    return build_concept(_ABSENT, code) | {"text": text}


def _find_total(version: ResourceVersion, total: str) -> TotalPoints | None:
    return (version.screening.assessment.totals or {}).get(total)


def _total_value(version: ResourceVersion, total: str) -> Resource:
    result = _find_total(version, total)
    if result is None:
        return {"dataAbsentReason": build_absent_reason(version)}
    return {"valueQuantity": _quantity(result.points)}


def _quantity(points: ExactDecimal) -> Resource:
    return {
        "value": to_json_number(points),
        "unit": "{score}",
        "system": _UCUM,
        "code": "{score}",
    }


def _interpretation(version: ResourceVersion, total: str) -> Resource:
    """Return the band, if there is one, in the words of the rulebook, and what it could become."""
    result, rulebook = _find_total(version, total), version.loaded.rulebook
    if result is None:
        return {}
    words = find_result_words(rulebook, version.screening.assessment)
    band = next((b for b in rulebook.band if b.id == result.band), None)
    if band is None:
        return {"interpretation": [{"text": words.title}]} if words else {}
    concept = build_concept(version.urls.band_system(version.instrument), band.id, band.label)
    interpretations = [concept | {"text": f"{band.label}: {band.meaning}"}]
    if words and words.possible_bands:
        interpretations.append({"text": words.possible_bands})
    return {"interpretation": interpretations}


def _reference_ranges(bands: tuple[Band, ...]) -> list[Resource]:
    """Return a range per band; an exclusive lower limit is stated in the text only."""
    ranges: list[Resource] = []
    for band in bands:
        if band.from_ is not None:
            low = {"low": _quantity(band.from_)}
            ranges.append(low | {"text": f"{band.label}: from {to_json_number(band.from_)}"})
        elif band.above is not None:
            ranges.append({"text": f"{band.label}: above {to_json_number(band.above)}"})
        else:
            ranges.append({"text": f"{band.label}: below all others"})
    return ranges


def _safety_components(version: ResourceVersion) -> list[Resource]:
    """Return the most urgent tier, then each red flag that is present."""
    safety = version.screening.assessment.safety
    tiers = {tier.id: tier.label for tier in version.loaded.rulebook.tier}
    if not tiers:
        return []
    wording = version.loaded.rulebook.wording
    no_flags = wording.no_flag_asked if safety.all_asked else wording.no_flag
    tier = {
        "code": build_result_concept(version, "safety", "Red flags"),
        "valueCodeableConcept": build_result_concept(
            version, f"tier.{safety.tier}", tiers.get(safety.tier, no_flags)
        ),
    }
    flags = [
        {
            "code": build_result_concept(version, f"flag.{flag.id}", flag.label),
            "valueCodeableConcept": {"text": f"{describe_tier(flag)}: {flag.action}"},
        }
        for flag in sort_by_tier(version.loaded.rulebook, version.screening.assessment)
    ]
    return [tier, *flags]


def _total_components(version: ResourceVersion, main: Total) -> list[Resource]:
    """Return the other totals, then the range of the main total."""
    components: list[Resource] = [
        {
            "code": build_result_concept(version, total.id, total.label),
            **_total_value(version, total.id),
        }
        for total in version.loaded.rulebook.total
        if total.id != main.id
    ]
    main_result = _find_total(version, main.id)
    if main_result is not None:
        for name, points in (("least", main_result.range.least), ("most", main_result.range.most)):
            components.append(
                {
                    "code": build_result_concept(
                        version, f"{main.id}.{name}", f"{main.label}, at the {name}"
                    ),
                    "valueQuantity": _quantity(points),
                }
            )
    return components


def _explanation_components(version: ResourceVersion, main: Total) -> list[Resource]:
    """Return possible bands, reasons for no band, contradictions and other explanations."""
    explanations = list_explanations(version.screening.assessment)
    return [
        *_band_range_components(version, main),
        *(
            _text_component(version, f"no_band.{reason.id}", "Why no band is given", reason.text)
            for reason in explanations.why_no_band
        ),
        *(
            _text_component(version, f"contradiction.{item.id}", "Contradiction", item.text)
            for item in explanations.contradictions
        ),
        *(
            {
                "code": build_result_concept(
                    version, f"alternative.{explanation.id}", explanation.label
                ),
                "valueInteger": explanation.strength,
                "interpretation": [{"text": describe_alternative(explanation)}],
            }
            for explanation in explanations.alternatives
        ),
    ]


def _band_range_components(version: ResourceVersion, main: Total) -> list[Resource]:
    result = _find_total(version, main.id)
    if result is None or result.band_range is MISSING or result.band_range is None:
        return []
    labels = {band.id: band.label for band in version.loaded.rulebook.band}
    system = version.urls.band_system(version.instrument)
    return [
        {
            "code": build_result_concept(
                version, f"{main.id}.band_{end}", f"{main.label}, band at the {end}"
            ),
            "valueCodeableConcept": build_concept(system, band, labels[band]),
        }
        for end, band in (("least", result.band_range.least), ("most", result.band_range.most))
    ]


def _text_component(version: ResourceVersion, code: str, display: str, text: str) -> Resource:
    return {
        "code": build_result_concept(version, code, display),
        "valueCodeableConcept": {"text": text},
    }


def _criterion_components(version: ResourceVersion) -> list[Resource]:
    criteria = version.screening.assessment.criteria
    if criteria is not None:
        return [_criterion_component(version, criterion) for criterion in criteria]
    return [
        {
            "code": build_result_concept(version, criterion.id, criterion.label),
            "dataAbsentReason": build_absent_reason(version),
        }
        for criterion in version.loaded.rulebook.criterion
    ]


def _criterion_component(version: ResourceVersion, criterion: WeighedCriterion) -> Resource:
    code = {"code": build_result_concept(version, criterion.id, criterion.label)}
    if criterion.points is None:
        return code | {"dataAbsentReason": _absent_reason("unknown", criterion.because)}
    return code | {
        "valueQuantity": _quantity(criterion.points),
        "interpretation": [{"text": f"{criterion.verdict}: {criterion.because}"}],
    }
