"""Builds a RiskAssessment from a band, in words: no probability has been measured."""

from api.fhir.elements import (
    Resource,
    Version,
    coded,
    identifier,
    named,
    reference,
    software,
    subject,
)
from api.fhir.resources.observation import NOT_A_DIAGNOSIS, main_total, status, why_absent


def risk_assessment(version: Version) -> Resource:
    """Return the RiskAssessment; without a band it has no prediction and a note says why."""
    resource = named("RiskAssessment", version) | {
        "identifier": [identifier(version, "RiskAssessment")],
        "status": status(version),
        "method": {"text": version.screening.assessment.rulebook},
        "code": {"text": version.loaded.rulebook.rulebook.title},
        "subject": subject(version),
        "occurrenceDateTime": version.kept,
        "performer": software(version),
        "basis": [reference(name, version) for name in ("QuestionnaireResponse", "Observation")],
        "note": [{"text": text} for text in _list_notes(version)],
    }
    if prediction := _build_prediction(version):
        resource["prediction"] = [prediction]
    if steps := version.screening.assessment.next_steps:
        resource["mitigation"] = " ".join(f"{step.label} ({step.certainty})" for step in steps)
    return resource


def _build_prediction(version: Version) -> Resource | None:
    main = main_total(version)
    total = (version.screening.assessment.totals or {}).get(main.id)
    if total is None or total.band is None:
        return None
    band = next(band for band in version.loaded.rulebook.band if band.id == total.band)
    return {
        "outcome": {"text": main.label},
        "qualitativeRisk": coded(version.base.bands(version.instrument), band.id, band.label),
        "rationale": band.meaning,
    }


def _list_notes(version: Version) -> list[str]:
    assessment, wording = version.screening.assessment, version.loaded.rulebook.wording
    flags = [f"{flag.tier}: {flag.label}. {flag.action}" for flag in assessment.safety.flags]
    if assessment.totals is None:
        return [*flags, why_absent(version)["text"], NOT_A_DIAGNOSIS]
    if assessment.status == "insufficient_information":
        return [*flags, wording.insufficient, NOT_A_DIAGNOSIS]
    return [*flags, NOT_A_DIAGNOSIS]
