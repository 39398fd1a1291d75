"""Shows the matches of a search as the client asked: in part, sorted, with other resources."""

from collections.abc import Iterable
from typing import Any

from api.fhir.elements import Resource
from api.fhir.search_parameters import INCLUDES, PARAMETERS, matches, read_elements
from api.fhir.search_query import ScreeningSearch, refuse

_SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
_ALWAYS_SHOWN = {"resourceType", "id", "meta"}
_REQUIRED = {
    "QuestionnaireResponse": {"status"},
    "Observation": {"status", "code"},
    "RiskAssessment": {"status", "subject"},
    "DiagnosticReport": {"status", "code"},
    "Provenance": {"target", "recorded", "agent"},
    "DocumentReference": {"status", "content"},
}
"""Elements that R4 requires, so that a part of a resource is still valid."""
_NOT_IN_SUMMARY = {
    "QuestionnaireResponse": {"item", "text", "contained", "extension"},
    "Observation": {"note", "referenceRange", "method", "device", "interpretation", "component"},
    "RiskAssessment": {"basis", "prediction", "mitigation", "note", "method"},
    "DiagnosticReport": {"result", "conclusion", "presentedForm"},
    "Provenance": {"entity", "policy", "activity"},
    "DocumentReference": {"context", "docStatus"},
}


def is_match(resource: Resource, search: ScreeningSearch) -> bool:
    """Return whether a resource matches every filter that the store has no index for."""
    return all(matches(resource, it.parameter, it.text) for it in search.post_filters)


def sort_resources(entries: list[Any], search: ScreeningSearch) -> list[Any]:
    """Sort pairs of a resource and its source by the element that `_sort` names."""
    name = search.sort.removeprefix("-")
    element = PARAMETERS[search.resource_type][name].element
    return sorted(
        entries,
        key=lambda entry: str(next(read_elements(entry[0], element), "")),
        reverse=search.sort.startswith("-"),
    )


def show_part(resource: Resource, search: ScreeningSearch) -> Resource:
    """Return the elements that `_elements` or `_summary` asks for, marked as a part."""
    kind = resource["resourceType"]
    if search.elements:
        names = {*search.elements, *_REQUIRED.get(kind, ())}
    elif search.summary == "text":
        names = {"text", *_REQUIRED.get(kind, ())}
    elif search.summary == "true":
        names = resource.keys() - _NOT_IN_SUMMARY.get(kind, set())
    elif search.summary == "data":
        names = resource.keys() - {"text"}
    else:
        return resource
    part = {name: value for name, value in resource.items() if name in _ALWAYS_SHOWN | names}
    meta = part.get("meta", {})
    return part | {"meta": meta | {"tag": [*meta.get("tag", ()), _SUBSETTED]}}


def list_included_types(search: ScreeningSearch) -> list[str]:
    """Return the types to include with each match. Raises Problem for an unknown include."""
    included = [
        kind
        for name, text in search.pairs
        if name in ("_include", "_revinclude")
        for kind in _read_include(name, text, search.resource_type)
    ]
    return list(dict.fromkeys(kind for kind in included if kind != search.resource_type))


def _read_include(name: str, text: str, resource_type: str) -> Iterable[str]:
    kind, _, parameter = text.partition(":")
    path = f"{kind}:{parameter.partition(':')[0]}"
    known_parameters = PARAMETERS.get(kind, {})
    is_patient = kind in PARAMETERS and parameter.partition(":")[0] in ("patient", "subject")
    is_known = path.partition(":")[2] in known_parameters or is_patient
    if not is_known or (name == "_include" and kind != resource_type):
        refuse(name, "must be a reference parameter of a resource type of this server")
    targets = INCLUDES.get(path, ())
    if name == "_include":
        return targets
    return (kind,) if resource_type in targets else ()
