"""Builds the elements that resources share: canonical URLs, identifiers, references, concepts.

All of them are derived from the service URL and the screening ids, so the same screening always
yields the same resources.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from reports.view.editions import is_confidential
from schemas.canonical import CANONICAL_BASE
from schemas.patients.patient import KnownPatient
from schemas.patients.screening import Screening
from scoring.compiled_rulebook import LoadedRulebook

Resource = dict[str, Any]
FHIR_JSON = "application/fhir+json"
JSON_PATCH = "application/json-patch+json"
URI_SYSTEM = "urn:ietf:rfc:3986"
TERMINOLOGY_BASE = "http://terminology.hl7.org/CodeSystem"
EXTENSION_BASE = "http://hl7.org/fhir/StructureDefinition"
ID_PATTERN = r"[A-Za-z0-9\-.]{1,64}"
RESTRICTED: Resource = {
    "system": f"{TERMINOLOGY_BASE}/v3-Confidentiality",
    "code": "R",
    "display": "restricted",
}
"""The security label of a confidential assessment."""
NONE_OF_THESE = "none-of-these"
"""The answer code for "no option applies" in a multi question; no option id has a hyphen."""
NONE_OF_THESE_TEXT = "None of these"
"""The display of that code."""
RANGE_EXTENSION = "nociscreen-attainable-range"
RED_FLAG_EXTENSION = "nociscreen-red-flag-tier"
DEFINITION_TYPES = frozenset(
    {
        *("Questionnaire", "CodeSystem", "ValueSet", "ConceptMap", "StructureDefinition"),
        *("SubscriptionTopic", "OperationDefinition"),
    }
)
"""The types of what has a canonical URL; an address of another type is that of a record."""
OWN_EXTENSIONS = (RANGE_EXTENSION, RED_FLAG_EXTENSION)
"""The extensions that the service computes, and therefore ignores in what it receives."""
_URI = re.compile(r"\S+:\S+")


class CanonicalUrls(NamedTuple):
    """The address of the service, for links, and the base of its canonical URLs, which is fixed.

    None ends with a slash. `old_addresses` are those that the service had before.
    """

    service_url: str
    canonical_base: str = CANONICAL_BASE
    old_addresses: tuple[str, ...] = ()

    @property
    def fhir_url(self) -> str:
        """The base URL of the FHIR API."""
        return f"{self.service_url}/fhir"

    @property
    def range_extension(self) -> str:
        """The URL of the extension with what a response in progress can still score."""
        return self.canonical_url(f"StructureDefinition/{RANGE_EXTENSION}")

    @property
    def red_flag_extension(self) -> str:
        """The URL of the extension with the tier of a response in progress."""
        return self.canonical_url(f"StructureDefinition/{RED_FLAG_EXTENSION}")

    def canonical_url(self, path: str) -> str:
        """Return the canonical URL of a definition: `path` is its type and id."""
        return f"{self.canonical_base}/fhir/{path}"

    def questionnaire_url(self, name: str) -> str:
        """Return the canonical URL of a questionnaire, without its version."""
        return self.canonical_url(f"Questionnaire/{name}")

    def option_system(self, instrument: str, question: str) -> str:
        """Return the code system of the options of one question."""
        return self.canonical_url(f"CodeSystem/{instrument}/{question}")

    def result_system(self, instrument: str) -> str:
        """Return the code system of computed results: totals, criteria and red flags."""
        return self.canonical_url(f"CodeSystem/{instrument}")

    def band_system(self, instrument: str) -> str:
        """Return the code system of the bands of an instrument."""
        return self.canonical_url(f"CodeSystem/{instrument}/band")

    def topic_url(self, topic: str) -> str:
        """Return the canonical URL of a topic of subscriptions."""
        return self.canonical_url(f"SubscriptionTopic/{topic}")

    def resolve_alias(self, url: str) -> str:
        """Return the canonical URL of what one under an address of the service names.

        Any other URL is returned unchanged.
        """
        for base in (self.service_url, *self.old_addresses):
            path = url.removeprefix(f"{base}/fhir/")
            if path != url and path.partition("/")[0] in DEFINITION_TYPES:
                return self.canonical_url(path)
        return url


def build_canonical_urls(service_url: str, bases: Sequence[str]) -> CanonicalUrls:
    """Return the URLs of a service: the first of the bases is fixed, the others are aliases."""
    return CanonicalUrls(service_url, bases[0], tuple(bases[1:]))


class ResourceVersion(NamedTuple):
    """One screening as a version of the resources that are derived from it.

    `first` is the id of the original screening and the logical id of the resources. `number`
    counts the screening, its corrections, merges of its patient and its entry in error, and
    `changed_at` is the instant of the last of them. `successor` is the screening that corrects this
    one, if it was loaded.
    """

    screening: Screening
    logical_id: str
    number: int
    loaded: LoadedRulebook
    urls: CanonicalUrls
    successor: Screening | None = None
    changed_at: datetime | None = None

    @property
    def instrument(self) -> str:
        """The name of the instrument, without a version."""
        return self.loaded.rulebook.rulebook.instrument

    @property
    def is_correction(self) -> bool:
        """Whether the screening corrects an earlier one."""
        return self.screening.replaces is not None

    @property
    def is_confidential(self) -> bool:
        """Whether flags about the person or confidential answers are in the assessment."""
        return is_confidential(self.loaded.rulebook, self.screening.assessment)

    @property
    def received(self) -> Resource | None:
        """The QuestionnaireResponse as it was received; None for other ways in."""
        fhir = self.screening.context.fhir
        return json.loads(fhir.received) if fhir is not None and fhir.received else None

    @property
    def answered_at(self) -> str:
        """The instant or date at which the answers were given."""
        context = self.screening.context
        if context.fhir is not None and context.fhir.authored is not None:
            return context.fhir.authored
        return context.answered_on.isoformat() if context.answered_on else self.stored_at

    @property
    def updated_at(self) -> str:
        """The instant of the last change: creation, merge of the patient or entry in error."""
        error = self.screening.entered_in_error
        changed_at = self.changed_at or (error.at if error else self.screening.created_at)
        return format_instant(changed_at)

    @property
    def stored_at(self) -> str:
        """The instant at which the screening was created."""
        return format_instant(self.screening.created_at)


def begin_resource(resource_type: str, version: ResourceVersion) -> Resource:
    """Return the first elements of a resource: type, id, version, last update and security."""
    return {
        "resourceType": resource_type,
        "id": version.logical_id,
        "meta": {
            "versionId": str(version.number),
            "lastUpdated": version.updated_at,
            **build_security(version),
        },
    }


def build_security(version: ResourceVersion) -> Resource:
    """Return the element `security` of meta: restricted if confidential, otherwise nothing."""
    return {"security": [RESTRICTED]} if version.is_confidential else {}


def label_security(version: ResourceVersion) -> Resource:
    """Return the meta of a resource that has no version: its security label, if it has one."""
    security = build_security(version)
    return {"meta": security} if security else {}


def build_resource_identifier(version: ResourceVersion, resource_type: str) -> Resource:
    """Return the permanent identifier of one type of resource of one screening."""
    return {"system": URI_SYSTEM, "value": derive_urn(version, f"{resource_type} identifier")}


def derive_urn(version: ResourceVersion, purpose: str) -> str:
    """Return a `urn:uuid:` that is unique to the screening and the purpose."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{version.screening.id} {purpose}')}"


def build_reference(resource_type: str, version: ResourceVersion) -> Resource:
    """Return a reference to a resource of the screening."""
    return {"reference": f"{resource_type}/{version.logical_id}"}


def build_patient_reference(version: ResourceVersion) -> Resource:
    """Return the Reference to the patient, literal if the response had one, or by identifier."""
    patient, fhir = version.screening.patient, version.screening.context.fhir
    element = build_identified_patient(patient)
    if fhir is None or fhir.subject is None:
        return element
    if not fhir.subject_identified:
        del element["identifier"]
    return {"type": element["type"], "reference": fhir.subject, **element}


def build_identified_patient(patient: KnownPatient) -> Resource:
    """Return the Reference to a patient by identifier."""
    element: Resource = {
        "type": "Patient",
        "identifier": build_identifier(patient.reference, patient.system),
    }
    return element | ({"display": patient.name} if patient.name else {})


def build_identifier(value: str, system: str | None) -> Resource:
    """Return an Identifier; a system that is not a URI becomes the name of the assigner."""
    if system is None:
        return {"value": value}
    if _URI.fullmatch(system):
        return {"system": system, "value": value}
    return {"value": value, "assigner": {"display": system}}


def build_software_reference(version: ResourceVersion) -> Resource:
    """Return the Reference to the service, in the version that scored the screening."""
    identifier = build_software_identifier(version.urls, version.screening.origin.software_version)
    return {"type": "Device", "identifier": identifier, "display": identifier["value"]}


def build_software_identifier(urls: CanonicalUrls, version: str) -> Resource:
    """Return the Identifier of the service in a version."""
    return {"system": urls.canonical_base, "value": f"nociscreen {version}"}


def format_instant(at: datetime) -> str:
    """Return a UTC time as a FHIR instant, ending in `Z`."""
    return at.isoformat().replace("+00:00", "Z")


def build_concept(system: str, code: str, display: str | None = None) -> Resource:
    """Return a CodeableConcept of one coding, with the display as its text."""
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": display} if display else {})


def build_result_concept(version: ResourceVersion, code: str, display: str) -> Resource:
    """Return a CodeableConcept from the code system of the instrument's results."""
    return build_concept(version.urls.result_system(version.instrument), code, display)
