"""What a band means, as a RiskAssessment: words and never a probability, for none was measured."""

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
    """The RiskAssessment; without a band it predicts nothing and says why."""
    told = named("RiskAssessment", version) | {
        "identifier": [identifier(version, "RiskAssessment")],
        "status": status(version),
        "method": {"text": version.screening.assessment.rulebook},
        "code": {"text": version.loaded.rulebook.rulebook.title},
        "subject": subject(version),
        "occurrenceDateTime": version.kept,
        "performer": software(version),
        "basis": [reference(each, version) for each in ("QuestionnaireResponse", "Observation")],
        "note": [{"text": text} for text in _notes(version)],
    }
    if prediction := _prediction(version):
        told["prediction"] = [prediction]
    if steps := version.screening.assessment.next_steps:
        told["mitigation"] = " ".join(f"{each.label} ({each.certainty})" for each in steps)
    return told


def _prediction(version: Version) -> Resource | None:
    main = main_total(version)
    found = (version.screening.assessment.totals or {}).get(main.id)
    if found is None or found.band is None:
        return None
    band = next(each for each in version.loaded.rulebook.band if each.id == found.band)
    return {
        "outcome": {"text": main.label},
        "qualitativeRisk": coded(version.base.bands(version.instrument), band.id, band.label),
        "rationale": band.meaning,
    }


def _notes(version: Version) -> list[str]:
    assessment, wording = version.screening.assessment, version.loaded.rulebook.wording
    flags = [f"{each.tier}: {each.label}. {each.action}" for each in assessment.safety.flags]
    if assessment.totals is None:
        return [*flags, why_absent(version)["text"], NOT_A_DIAGNOSIS]
    if assessment.status == "insufficient_information":
        return [*flags, wording.insufficient, NOT_A_DIAGNOSIS]
    return [*flags, NOT_A_DIAGNOSIS]
