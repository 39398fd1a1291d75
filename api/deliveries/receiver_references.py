"""Makes the references of a pushed resource resolvable at the receiver, and checks its needs."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from api.fhir.elements import (
    ID_PATTERN,
    Resource,
    ResourceVersion,
    build_resource_identifier,
)
from api.fhir.links import find_target_type
from schemas.organisations.delivery import DestinationMisfit
from schemas.organisations.profile import FhirOptions

_LITERAL = re.compile(rf"(?:https?://\S{{1,150}}/)?([A-Z][A-Za-z]{{1,30}})/{ID_PATTERN}")
_NUMBER_SYSTEM = "subject/identifier/system"
_LOOK_UP_NEED = "the patient is looked up by number and system at the receiver, so both are needed"


def adapt_references(
    version: ResourceVersion, resources: Sequence[Resource], options: FhirOptions
) -> list[Resource]:
    """Return the resources with references that the receiver can resolve.

    A number that is written as a literal reference (`Patient/eAbc`) becomes one, and a resource of
    this service that is not sent is named by its identifier.
    """
    response = f"QuestionnaireResponse/{version.logical_id}"
    is_sent = any(it["resourceType"] == "QuestionnaireResponse" for it in resources)
    identifier = build_resource_identifier(version, "QuestionnaireResponse")
    by_identifier = {"type": "QuestionnaireResponse", "identifier": identifier}
    replacements = {} if is_sent else {response: by_identifier}
    adapted = [_adapt(resource, replacements) for resource in resources]
    if options.authors == "practitioners":
        for resource in adapted:
            _keep_practitioners(resource)
    return adapted


def find_unmet_needs(
    resources: Sequence[Resource], options: FhirOptions
) -> Iterator[DestinationMisfit]:
    """Yield a misfit for each element that the receiver needs and a resource lacks.

    A patient who is looked up needs the system of the number, and no id of the receiver.
    """
    can_look_up = options.looks_up_patient and all(map(_names_patient, resources))
    if options.looks_up_patient and not can_look_up:
        yield DestinationMisfit(code="needed", place=_NUMBER_SYSTEM, detail=_LOOK_UP_NEED)
    for need in options.need:
        for resource in resources:
            if resource["resourceType"] != need.resource:
                continue
            if can_look_up and need.place == "/subject/reference":
                continue
            value = _find_value(resource, need.place)
            if not isinstance(value, str) or not re.fullmatch(need.pattern, value):
                yield DestinationMisfit(code="needed", place=need.place[1:], detail=need.says)


def _names_patient(resource: Resource) -> bool:
    """Return whether the subject is a literal reference, or a number with its system."""
    subject = resource.get("subject", {})
    return "reference" in subject or bool(_find_value(subject, "/identifier/system"))


def _adapt(value: Any, replacements: dict[str, Resource]) -> Any:
    match value:
        case {"reference": str(literal)} if literal in replacements:
            return replacements[literal]
        case {"identifier": {"value": str(number), **more}, **others} if not more:
            target = _LITERAL.fullmatch(number)
            if target and others.get("type") == target[1] and "reference" not in others:
                return others | {"reference": number}
            return value
        case dict():
            return {name: _adapt(item, replacements) for name, item in value.items()}
        case list():
            return [_adapt(item, replacements) for item in value]
    return value


def _keep_practitioners(resource: Resource) -> None:
    """Leave out every author but practitioners by a literal reference."""
    if "author" not in resource or resource["resourceType"] != "DocumentReference":
        return
    authors = [
        it
        for it in resource.pop("author")
        if "reference" in it and find_target_type(it) == "Practitioner"
    ]
    if authors:
        resource["author"] = authors


def _find_value(resource: Resource, place: str) -> Any:
    """Return the value at a JSON Pointer; None if there is none."""
    value: Any = resource
    for step in place[1:].split("/"):
        if isinstance(value, list):
            value = value[int(step)] if step.isdigit() and int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value
