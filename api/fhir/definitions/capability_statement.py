"""Builds the CapabilityStatement of this server.

A test exercises every capability that is declared here.
"""

from typing import NamedTuple

from api.fhir.definitions.operations import build_operation_url, list_operations
from api.fhir.elements import FHIR_JSON, JSON_PATCH, CanonicalUrls, Resource, build_concept
from api.fhir.search_parameters import INCLUDES, PARAMETERS

_SEARCH = "http://hl7.org/fhir/SearchParameter"
_ID = ("_id", "token", f"{_SEARCH}/Resource-id")
_PATIENT_DEFINITIONS = dict.fromkeys(
    ("Observation", "RiskAssessment", "DiagnosticReport", "DocumentReference"), "clinical-patient"
)
_SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"


class ResourceCapability(NamedTuple):
    """The interactions and search parameters of one resource type."""

    resource_type: str
    interactions: tuple[str, ...]
    parameters: tuple[tuple[str, str, str], ...] = ()


def list_capabilities() -> list[ResourceCapability]:
    """Return the capabilities of each resource type that is served."""
    read_and_search = ("read", "search-type")
    return [
        ResourceCapability(
            "Questionnaire",
            ("read", "vread", "search-type"),
            (
                _ID,
                ("url", "uri", f"{_SEARCH}/Questionnaire-url"),
                ("version", "token", f"{_SEARCH}/Questionnaire-version"),
                ("status", "token", f"{_SEARCH}/Questionnaire-status"),
            ),
        ),
        ResourceCapability(
            "QuestionnaireResponse",
            (
                *("create", "read", "vread", "update", "patch"),
                *("history-instance", "search-type"),
            ),
            (
                *_list_parameters("QuestionnaireResponse"),
                ("identifier", "token", f"{_SEARCH}/QuestionnaireResponse-identifier"),
                ("questionnaire", "reference", f"{_SEARCH}/QuestionnaireResponse-questionnaire"),
            ),
        ),
        *(
            ResourceCapability(name, read_and_search, _list_parameters(name))
            for name in (
                *("Observation", "RiskAssessment", "DiagnosticReport"),
                *("Provenance", "DocumentReference"),
            )
        ),
        ResourceCapability(
            "Patient",
            read_and_search,
            (_ID, ("identifier", "token", f"{_SEARCH}/Patient-identifier")),
        ),
        ResourceCapability("Binary", ("read",)),
        ResourceCapability("Composition", ("read",)),
        ResourceCapability(
            "OperationDefinition",
            read_and_search,
            (
                _ID,
                ("url", "uri", f"{_SEARCH}/conformance-url"),
                ("code", "token", f"{_SEARCH}/OperationDefinition-code"),
                ("base", "reference", f"{_SEARCH}/OperationDefinition-base"),
            ),
        ),
        ResourceCapability("Device", ("read",)),
        *(
            ResourceCapability(
                name, read_and_search, (_ID, ("url", "uri", f"{_SEARCH}/conformance-url"))
            )
            for name in ("CodeSystem", "ConceptMap", "ValueSet")
        ),
        ResourceCapability("AuditEvent", ("search-type",)),
        ResourceCapability("Subscription", ("create", "read", "delete")),
    ]


def _list_parameters(resource_type: str) -> tuple[tuple[str, str, str], ...]:
    """Return name, type and definition of the parameters of a type, those of the patient first."""
    definitions = {"patient": _PATIENT_DEFINITIONS.get(resource_type, f"{resource_type}-patient")}
    if resource_type != "Provenance":
        definitions["subject"] = f"{resource_type}-subject"
    return (
        _ID,
        *((name, "reference", f"{_SEARCH}/{it}") for name, it in definitions.items()),
        *((name, it.kind, it.definition) for name, it in PARAMETERS[resource_type].items()),
    )


def build_capability_statement(urls: CanonicalUrls, version: str, date: str) -> Resource:
    """Return the CapabilityStatement of this release at this URL."""
    security = {
        "description": "An access token or an API key; the same scopes as everywhere in the API.",
        "service": [
            build_concept(_SECURITY, "OAuth", "OAuth"),
            build_concept(_SECURITY, "SMART-on-FHIR", "SMART-on-FHIR"),
        ],
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "publisher": "nociscreen",
        "kind": "instance",
        "software": {"name": "nociscreen", "version": version},
        "implementation": {"description": "nociscreen", "url": urls.fhir_url},
        "fhirVersion": "4.0.1",
        "format": [FHIR_JSON, "json"],
        "patchFormat": [JSON_PATCH],
        "rest": [
            {
                "mode": "server",
                "security": security,
                "interaction": [{"code": "batch"}, {"code": "transaction"}],
                "resource": [
                    _build_resource(capability, urls) for capability in list_capabilities()
                ],
                "operation": _list_operations(None, urls),
            }
        ],
    }


def _build_resource(capability: ResourceCapability, urls: CanonicalUrls) -> Resource:
    element: Resource = {
        "type": capability.resource_type,
        "interaction": [{"code": code} for code in capability.interactions],
    }
    if "vread" in capability.interactions:
        element["versioning"] = "versioned"
    if "update" in capability.interactions:
        element |= {
            "versioning": "versioned-update",
            "conditionalCreate": True,
            "conditionalUpdate": True,
            "updateCreate": False,
        }
    if capability.parameters:
        element["searchParam"] = [
            {"name": name, "type": kind, "definition": definition}
            for name, kind, definition in capability.parameters
        ]
    element |= _list_includes(capability.resource_type)
    if operations := _list_operations(capability.resource_type, urls):
        element["operation"] = operations
    return element


def _list_includes(resource_type: str) -> Resource:
    """Return the elements `searchInclude` and `searchRevInclude` of a type."""
    includes = [path for path in INCLUDES if path.startswith(f"{resource_type}:")]
    reverse = [path for path, targets in INCLUDES.items() if resource_type in targets]
    lists = {"searchInclude": includes, "searchRevInclude": reverse}
    return {name: paths for name, paths in lists.items() if paths}


def _list_operations(resource_type: str | None, urls: CanonicalUrls) -> list[Resource]:
    return [
        {"name": it.code, "definition": build_operation_url(urls, it)}
        for it in list_operations(resource_type)
    ]
