"""Where resources live and what they are called: canonical addresses, identifiers, references.

Everything here follows from the address of the service and the ids that screenings have, so that
the same screening is always told in the same words.
"""

import re
from datetime import datetime
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from schemas.screening import Screening
from scoring.compiled_rulebook import LoadedRulebook

Resource = dict[str, Any]
FHIR_JSON = "application/fhir+json"
URN = "urn:ietf:rfc:3986"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
EXTENSION = "http://hl7.org/fhir/StructureDefinition"
ID = r"[A-Za-z0-9\-.]{1,64}"
NONE_OF_THESE = "none-of-these"
"""What a question of several options is answered by where none applies: no option has a hyphen."""
_URI = re.compile(r"\S+:\S+")


class Base(NamedTuple):
    """The address under which everything here is found, without a slash at its end."""

    service: str

    @property
    def url(self) -> str:
        """The FHIR base."""
        return f"{self.service}/fhir"

    def questionnaire(self, name: str) -> str:
        """The canonical address of a questionnaire, without its version."""
        return f"{self.url}/Questionnaire/{name}"

    def options(self, instrument: str, question: str) -> str:
        """The code system of the options of one question."""
        return f"{self.url}/CodeSystem/{instrument}/{question}"

    def results(self, instrument: str) -> str:
        """The code system of what is computed: totals, criteria, red flags."""
        return f"{self.url}/CodeSystem/{instrument}"

    def bands(self, instrument: str) -> str:
        """The code system of the bands of an instrument."""
        return f"{self.url}/CodeSystem/{instrument}/band"


class Version(NamedTuple):
    """One screening as a version of the resources that tell of it.

    `first` is the id of the screening that the others correct: the logical id of the resources.
    `number` counts what was kept and what became of it; `successor` is the screening that corrects
    it, where that was looked up.
    """

    screening: Screening
    first: str
    number: int
    loaded: LoadedRulebook
    base: Base
    successor: Screening | None = None

    @property
    def instrument(self) -> str:
        """The instrument that was used."""
        return self.loaded.rulebook.rulebook.instrument

    @property
    def corrects(self) -> bool:
        """Whether it corrects an earlier screening."""
        return self.screening.replaces is not None

    @property
    def answered(self) -> str:
        """When the answers were given: an instant or a day."""
        context = self.screening.context
        if context.fhir is not None and context.fhir.authored is not None:
            return context.fhir.authored
        return context.answered_on.isoformat() if context.answered_on else self.kept

    @property
    def updated(self) -> str:
        """When it became what it is."""
        error = self.screening.entered_in_error
        return instant(error.at) if error else self.kept

    @property
    def kept(self) -> str:
        """When it was kept."""
        return instant(self.screening.created_at)


def named(resource_type: str, version: Version) -> Resource:
    """The beginning of a resource that is told of a screening: type, id, version, instant."""
    return {
        "resourceType": resource_type,
        "id": version.first,
        "meta": {"versionId": str(version.number), "lastUpdated": version.updated},
    }


def identifier(version: Version, resource_type: str) -> Resource:
    """The identifier of one resource of one screening, for ever the same."""
    return {"system": URN, "value": urn(version, f"{resource_type} identifier")}


def urn(version: Version, what: str) -> str:
    """A `urn:uuid:` that no other thing of any screening has."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{version.screening.id} {what}')}"


def reference(resource_type: str, version: Version) -> Resource:
    """A reference to a resource of the screening."""
    return {"reference": f"{resource_type}/{version.first}"}


def subject(version: Version) -> Resource:
    """The patient, as the response named it or by the number that was kept."""
    patient, fhir = version.screening.patient, version.screening.context.fhir
    told: Resource = {"type": "Patient"}
    if fhir is not None and fhir.subject is not None:
        told["reference"] = fhir.subject
    if fhir is None or fhir.subject is None or fhir.subject_identified:
        told["identifier"] = numbered(patient.reference, patient.system)
    return told | ({"display": patient.name} if patient.name else {})


def numbered(value: str, system: str | None) -> Resource:
    """An identifier; a system that is no URI is told as who assigned it."""
    if system is None:
        return {"value": value}
    if _URI.fullmatch(system):
        return {"system": system, "value": value}
    return {"value": value, "assigner": {"display": system}}


def software(version: Version) -> Resource:
    """The software that made it, in the version that was running then."""
    told = f"nociscreen {version.screening.origin.software_version}"
    return {
        "type": "Device",
        "identifier": {"system": version.base.service, "value": told},
        "display": told,
    }


def instant(at: datetime) -> str:
    """An instant as FHIR writes it."""
    return at.isoformat().replace("+00:00", "Z")


def coded(system: str, code: str, display: str | None = None) -> Resource:
    """A CodeableConcept of one coding, with its words."""
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": display} if display else {})


def local(version: Version, code: str, display: str) -> Resource:
    """A concept of what an instrument computes."""
    return coded(version.base.results(version.instrument), code, display)
