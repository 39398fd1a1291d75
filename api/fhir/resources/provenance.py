"""Where a result comes from: the response, the rulebook by its hash, the software."""

from api.fhir.elements import TERMINOLOGY, Resource, Version, coded, named, reference, software

RESULTS = ("Observation", "RiskAssessment")
_AGENT = f"{TERMINOLOGY}/provenance-participant-type"


def provenance(version: Version) -> Resource:
    """The Provenance of what was computed for one screening."""
    screening = version.screening
    assessment = screening.assessment
    header = version.loaded.rulebook.rulebook
    rules = f"{version.base.service}/v1/rulebooks/{header.instrument}/{header.version}"
    kept_by = {"identifier": {"system": version.base.service, "value": screening.origin.actor}}
    return named("Provenance", version) | {
        "target": [reference(each, version) for each in RESULTS],
        "occurredDateTime": version.kept,
        "recorded": version.updated,
        "policy": [rules],
        "activity": coded(f"{TERMINOLOGY}/v3-DataOperation", *_activity(version)),
        "agent": [
            {"type": coded(_AGENT, "assembler", "Assembler"), "who": software(version)},
            {"type": coded(_AGENT, "enterer", "Enterer"), "who": kept_by},
        ],
        "entity": [
            {"role": "source", "what": reference("QuestionnaireResponse", version)},
            {
                "role": "source",
                "what": {
                    "identifier": {
                        "system": f"{rules}#sha256",
                        "value": assessment.rulebook_sha256,
                    },
                    "display": assessment.rulebook,
                },
            },
        ],
    }


def _activity(version: Version) -> tuple[str, str]:
    """What was done, as code and display: the first version is made, every other revises."""
    first = not version.corrects and version.screening.entered_in_error is None
    return ("CREATE", "create") if first else ("UPDATE", "revise")
