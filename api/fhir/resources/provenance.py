"""Builds the Provenance of results: the response, the rulebook with its hash, the software."""

from api.fhir.elements import TERMINOLOGY, Resource, Version, coded, named, reference, software

RESULTS = ("Observation", "RiskAssessment")
_AGENT = f"{TERMINOLOGY}/provenance-participant-type"


def provenance(version: Version) -> Resource:
    """Return the Provenance of the results of one screening."""
    screening = version.screening
    assessment = screening.assessment
    header = version.loaded.rulebook.rulebook
    rulebook_url = f"{version.base.service}/v1/rulebooks/{header.instrument}/{header.version}"
    author = {"identifier": {"system": version.base.service, "value": screening.origin.actor}}
    return named("Provenance", version) | {
        "target": [reference(resource_type, version) for resource_type in RESULTS],
        "occurredDateTime": version.kept,
        "recorded": version.updated,
        "policy": [rulebook_url],
        "activity": coded(f"{TERMINOLOGY}/v3-DataOperation", *_activity(version)),
        "agent": [
            {"type": coded(_AGENT, "assembler", "Assembler"), "who": software(version)},
            {"type": coded(_AGENT, "enterer", "Enterer"), "who": author},
        ],
        "entity": [
            {"role": "source", "what": reference("QuestionnaireResponse", version)},
            {
                "role": "source",
                "what": {
                    "identifier": {
                        "system": f"{rulebook_url}#sha256",
                        "value": assessment.rulebook_sha256,
                    },
                    "display": assessment.rulebook,
                },
            },
        ],
    }


def _activity(version: Version) -> tuple[str, str]:
    """Return code and display: create for the first version, revise for any later one."""
    is_first = not version.corrects and version.screening.entered_in_error is None
    return ("CREATE", "create") if is_first else ("UPDATE", "revise")
