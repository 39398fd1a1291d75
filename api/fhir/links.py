"""Links from a screening's results to what its response named: encounter, order and author.

A reference to a resource contained in the response becomes one by identifier, so that it can stand
in any other resource.
"""

from collections.abc import Iterator
from typing import Any

from api.fhir.elements import Resource, ResourceVersion

_PROCEDURE_TYPES = {
    "ImagingStudy",
    "Immunization",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationStatement",
    "Procedure",
}
"""The types that R4 allows in `Observation.partOf`."""


def build_encounter(version: ResourceVersion) -> Resource:
    """Return the element `encounter`; nothing if the intake named none."""
    reference = find_encounter(version)
    return {"encounter": reference} if reference else {}


def find_encounter(version: ResourceVersion) -> Resource | None:
    """Return the Reference to the encounter, as it was received or by its number."""
    if received := _list_portable(version, "encounter"):
        return received[0]
    fhir, number = version.screening.context.fhir, version.screening.patient.encounter
    if fhir is not None and fhir.encounter is not None:
        return {"reference": fhir.encounter}
    return {"type": "Encounter", "identifier": {"value": number}} if number else None


def list_orders(version: ResourceVersion) -> list[Resource]:
    """Return the References to the orders that the response answers."""
    return _list_portable(version, "basedOn")


def build_order_links(version: ResourceVersion) -> Resource:
    """Return the elements `basedOn` and `partOf` of an Observation."""
    orders = list_orders(version)
    procedures = [
        reference
        for reference in _list_portable(version, "partOf")
        if find_target_type(reference) in _PROCEDURE_TYPES
    ]
    links = {"basedOn": orders, "partOf": procedures}
    return {name: references for name, references in links.items() if references}


def list_authors(version: ResourceVersion) -> list[Resource]:
    """Return the Reference to the person or organisation that wrote the response, if any.

    The service adds itself where it is an author; a Device that wrote the response is left out.
    """
    clinician = version.screening.context.clinician
    received = _list_portable(version, "author")
    if not received and version.received is None and clinician is not None:
        received = [{"type": "Practitioner", "identifier": {"value": clinician.reference}}]
    return [it for it in received if find_target_type(it) not in (None, "Device")]


def find_target_type(reference: Resource) -> str | None:
    """Return the type of resource that a Reference points to, if it says so."""
    literal = str(reference.get("reference", ""))
    steps = literal.partition("/_history/")[0].split("/")
    kind = steps[-2] if len(steps) > 1 else reference.get("type")
    return kind if isinstance(kind, str) else None


def _list_portable(version: ResourceVersion, name: str) -> list[Resource]:
    received = version.received or {}
    value = received.get(name, [])
    references = value if isinstance(value, list) else [value]
    return list(_make_portable(references, received))


def _make_portable(references: list[Any], received: Resource) -> Iterator[Resource]:
    contained = {f"#{item.get('id')}": item for item in _list_objects(received.get("contained"))}
    for reference in _list_objects(references):
        if not str(reference.get("reference", "")).startswith("#"):
            yield reference
            continue
        target = contained.get(str(reference["reference"]), {})
        identifiers = _list_objects(target.get("identifier"))
        if identifiers:
            yield {"type": target.get("resourceType"), "identifier": identifiers[0]}


def _list_objects(value: Any) -> list[Resource]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]
