"""Builds a RiskAssessment from a band, in words: no probability has been measured."""

from api.documents.result_lines import (
    describe_next_step,
    describe_tier,
    find_result_words,
    list_result_lines,
)
from api.fhir.elements import (
    Resource,
    ResourceVersion,
    begin_resource,
    build_concept,
    build_patient_reference,
    build_reference,
    build_resource_identifier,
    build_software_reference,
)
from api.fhir.links import build_encounter, list_orders
from api.fhir.resources.observation import (
    NOT_A_DIAGNOSIS,
    build_absent_reason,
    find_main_total,
    result_status,
)
from reports.view.sections.flags import sort_by_tier


def build_risk_assessment(version: ResourceVersion) -> Resource:
    """Return the RiskAssessment; without a band it has no prediction and a note says why."""
    resource = begin_resource("RiskAssessment", version) | {
        "identifier": [build_resource_identifier(version, "RiskAssessment")],
        **({"basedOn": orders[0]} if (orders := list_orders(version)) else {}),
        "status": result_status(version),
        "method": {"text": version.screening.assessment.rulebook},
        "code": {"text": version.loaded.rulebook.rulebook.title},
        "subject": build_patient_reference(version),
        **build_encounter(version),
        "occurrenceDateTime": version.stored_at,
        "performer": build_software_reference(version),
        "basis": [
            build_reference(name, version) for name in ("QuestionnaireResponse", "Observation")
        ],
        "note": [{"text": text} for text in _list_notes(version)],
    }
    if prediction := _build_prediction(version):
        resource["prediction"] = [prediction]
    if steps := version.screening.assessment.next_steps:
        resource["mitigation"] = " ".join(map(describe_next_step, steps))
    return resource


def _build_prediction(version: ResourceVersion) -> Resource | None:
    main = find_main_total(version)
    total = (version.screening.assessment.totals or {}).get(main.id)
    if total is None or total.band is None:
        return None
    band = next(band for band in version.loaded.rulebook.band if band.id == total.band)
    return {
        "outcome": {"text": main.label},
        "qualitativeRisk": build_concept(
            version.urls.band_system(version.instrument), band.id, band.label
        ),
        "rationale": band.meaning,
    }


def _list_notes(version: ResourceVersion) -> list[str]:
    assessment, rulebook = version.screening.assessment, version.loaded.rulebook
    notes = [
        f"{describe_tier(flag)}: {flag.label}. {flag.action}"
        for flag in sort_by_tier(rulebook, assessment)
    ]
    words = find_result_words(rulebook, assessment)
    if assessment.totals is None:
        notes.append(build_absent_reason(version)["text"])
    elif assessment.status == "insufficient_information":
        notes += [words.title, words.headline] if words else [rulebook.wording.insufficient]
    return [*notes, *list_result_lines(rulebook, assessment), NOT_A_DIAGNOSIS]
