"""Builds the Provenance of results: the response, the rulebook with its hash, the software."""

from api.fhir.elements import (
    TERMINOLOGY_BASE,
    Resource,
    ResourceVersion,
    begin_resource,
    build_concept,
    build_reference,
    build_software_reference,
)
from api.fhir.links import list_authors

RESULT_TYPES = ("Observation", "RiskAssessment")
_AGENT = f"{TERMINOLOGY_BASE}/provenance-participant-type"


def build_provenance(version: ResourceVersion) -> Resource:
    """Return the Provenance of the results of one screening."""
    screening = version.screening
    assessment = screening.assessment
    header = version.loaded.rulebook.rulebook
    base = version.urls.canonical_base
    rulebook_url = f"{base}/rulebooks/{header.instrument}/{header.version}"
    author = {"identifier": {"system": base, "value": screening.origin.actor}}
    return begin_resource("Provenance", version) | {
        "target": [build_reference(resource_type, version) for resource_type in RESULT_TYPES],
        "occurredDateTime": version.stored_at,
        "recorded": version.updated_at,
        "policy": [rulebook_url],
        "activity": build_concept(f"{TERMINOLOGY_BASE}/v3-DataOperation", *_activity(version)),
        "agent": [
            {
                "type": build_concept(_AGENT, "assembler", "Assembler"),
                "who": build_software_reference(version),
            },
            {"type": build_concept(_AGENT, "enterer", "Enterer"), "who": author},
            *(
                {"type": build_concept(_AGENT, "author", "Author"), "who": reference}
                for reference in list_authors(version)
            ),
        ],
        "entity": [
            {"role": "source", "what": build_reference("QuestionnaireResponse", version)},
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


def _activity(version: ResourceVersion) -> tuple[str, str]:
    """Return code and display: create for the first version, revise for any later one."""
    is_first = not version.is_correction and version.screening.entered_in_error is None
    return ("CREATE", "create") if is_first else ("UPDATE", "revise")
