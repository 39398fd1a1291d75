"""What this server can do, as a CapabilityStatement, and its own operation.

Small and true: a test does everything that is claimed here.
"""

from typing import NamedTuple

from api.fhir.elements import FHIR_JSON, Base, Resource, coded

_SEARCH = "http://hl7.org/fhir/SearchParameter"
_PATIENT = ("patient", "reference", f"{_SEARCH}/clinical-patient")
_ID = ("_id", "token", f"{_SEARCH}/Resource-id")
_EXTRACT = "http://hl7.org/fhir/uv/sdc/OperationDefinition/QuestionnaireResponse-extract"
_DOCUMENT = "http://hl7.org/fhir/OperationDefinition/Composition-document"
_SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"
SCORE = "QuestionnaireResponse-score"


class Served(NamedTuple):
    """What can be done with one type of resource."""

    type: str
    interactions: tuple[str, ...]
    parameters: tuple[tuple[str, str, str], ...] = ()
    operations: tuple[tuple[str, str], ...] = ()


def served(base: Base) -> list[Served]:
    """Every type that is served."""
    reading = ("read", "search-type")
    of_patients = (_ID, _PATIENT)
    response = f"{_SEARCH}/QuestionnaireResponse"
    return [
        Served(
            "Questionnaire",
            ("read", "vread", "search-type"),
            (
                _ID,
                ("url", "uri", f"{_SEARCH}/Questionnaire-url"),
                ("version", "token", f"{_SEARCH}/Questionnaire-version"),
                ("status", "token", f"{_SEARCH}/Questionnaire-status"),
            ),
        ),
        Served(
            "QuestionnaireResponse",
            ("create", "read", "vread", "update", "search-type"),
            (
                _ID,
                ("identifier", "token", f"{response}-identifier"),
                ("patient", "reference", f"{response}-patient"),
                ("questionnaire", "reference", f"{response}-questionnaire"),
            ),
            (
                ("score", f"{base.url}/OperationDefinition/{SCORE}"),
                ("extract", _EXTRACT),
            ),
        ),
        Served("Observation", reading, of_patients),
        Served("RiskAssessment", reading, of_patients),
        Served(
            "Provenance",
            reading,
            (_ID, ("patient", "reference", f"{_SEARCH}/Provenance-patient")),
        ),
        Served("DocumentReference", reading, of_patients),
        Served("Binary", ("read",)),
        Served("Composition", ("read",), (), (("document", _DOCUMENT),)),
        Served("OperationDefinition", ("read",)),
        Served("AuditEvent", ("search-type",)),
    ]


def capability_statement(base: Base, version: str, date: str) -> Resource:
    """The CapabilityStatement of this release at this address."""
    security = {
        "description": "An access token or an API key; the same scopes as everywhere in the API.",
        "service": [
            coded(_SECURITY, "OAuth", "OAuth"),
            coded(_SECURITY, "SMART-on-FHIR", "SMART-on-FHIR"),
        ],
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "publisher": "nociscreen",
        "kind": "instance",
        "software": {"name": "nociscreen", "version": version},
        "implementation": {"description": "nociscreen", "url": base.url},
        "fhirVersion": "4.0.1",
        "format": [FHIR_JSON, "json"],
        "rest": [
            {
                "mode": "server",
                "security": security,
                "resource": [_resource(each) for each in served(base)],
            }
        ],
    }


def _resource(each: Served) -> Resource:
    told: Resource = {
        "type": each.type,
        "interaction": [{"code": code} for code in each.interactions],
    }
    if "vread" in each.interactions:
        told["versioning"] = "versioned"
    if "update" in each.interactions:
        told |= {
            "versioning": "versioned-update",
            "conditionalCreate": True,
            "updateCreate": False,
        }
    if each.parameters:
        told["searchParam"] = [
            {"name": name, "type": kind, "definition": definition}
            for name, kind, definition in each.parameters
        ]
    if each.operations:
        told["operation"] = [
            {"name": name, "definition": definition} for name, definition in each.operations
        ]
    return told


def score_definition(base: Base, version: str) -> Resource:
    """What `$score` takes and gives."""
    return {
        "resourceType": "OperationDefinition",
        "id": SCORE,
        "url": f"{base.url}/OperationDefinition/{SCORE}",
        "version": version,
        "name": "Score",
        "title": "Score a response",
        "status": "active",
        "kind": "operation",
        "description": "Scores a response and keeps nothing; of a kept one, tells what it scored.",
        "affectsState": False,
        "code": "score",
        "resource": ["QuestionnaireResponse"],
        "system": False,
        "type": True,
        "instance": True,
        "parameter": [
            {
                "name": "questionnaire-response",
                "use": "in",
                "min": 0,
                "max": "1",
                "documentation": "What is scored; needed where no kept response is named.",
                "type": "QuestionnaireResponse",
            },
            {
                "name": "return",
                "use": "out",
                "min": 1,
                "max": "1",
                "documentation": "Red flags, totals, and one component a criterion.",
                "type": "Observation",
            },
            {
                "name": "issues",
                "use": "out",
                "min": 0,
                "max": "1",
                "documentation": "Where what the client computed is not what was computed here.",
                "type": "OperationOutcome",
            },
        ],
    }
