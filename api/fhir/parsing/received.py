"""Reads a QuestionnaireResponse as it was received: what was sent empty, and what is stored of it.

The text that is stored holds every element that was sent, except the version, which the service
assigns itself.
"""

import json
from typing import Any

from api.fhir.elements import OWN_EXTENSIONS, Resource
from api.fhir.resources.operation_outcome import OutcomeIssue, locate_member

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_LINKS = {
    "identifier",
    "basedOn",
    "partOf",
    "status",
    "subject",
    "encounter",
    "authored",
    "author",
    "source",
}
_ASSIGNED_META = ("versionId", "lastUpdated")


def drop_empty(resource: Resource, issues: list[OutcomeIssue]) -> Resource:
    """Return the resource without empty members, which FHIR forbids, and warn about each.

    Entries of lists stay, so that later ones keep their position.
    """
    cleaned: Resource = _drop_members(resource, str(resource.get("resourceType")), issues)
    return cleaned


def _drop_members(value: Any, path: str, issues: list[OutcomeIssue]) -> Any:
    if isinstance(value, list):
        return [_drop_members(item, f"{path}[{n}]", issues) for n, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    members = {}
    for name, member in value.items():
        cleaned = _drop_members(member, f"{path}.{name}", issues)
        if _is_empty(cleaned):
            text = "is empty and was read as absent"
            place = locate_member(path, name)
            issues.append(OutcomeIssue("structure", text, place, severity="warning"))
        else:
            members[name] = cleaned
    return members


def _is_empty(value: Any) -> bool:
    return value in _EMPTY or (isinstance(value, list) and all(item in _EMPTY for item in value))


def is_same_content(one: Resource, other: Resource) -> bool:
    """Return whether two responses are the same but for their version."""
    contents = [json.loads(encode_received(drop_empty(it, []))) for it in (one, other)]
    return bool(contents[0] == contents[1])


def keep_links(received: str) -> str:
    """Return of a stored response only what it points to: no answer, text or contained resource."""
    elements = json.loads(received)
    return json.dumps(
        {
            name: value
            for name, value in elements.items()
            if name in _LINKS and '"reference": "#' not in json.dumps(value)
        },
        ensure_ascii=False,
    )


def encode_received(resource: Resource) -> str:
    """Return the elements that were sent as JSON text for storage, without what we compute."""
    elements = {name: value for name, value in resource.items() if name not in ("id", "meta")}
    if "extension" in elements:
        elements["extension"] = [it for it in elements["extension"] if not _is_own(it)]
        elements = {name: value for name, value in elements.items() if value != []}
    meta = resource.get("meta")
    if isinstance(meta, dict):
        own_meta = {name: value for name, value in meta.items() if name not in _ASSIGNED_META}
        elements |= {"meta": own_meta} if own_meta else {}
    return json.dumps(elements, ensure_ascii=False, separators=(",", ":"), default=float)


def _is_own(extension: Resource) -> bool:
    return str(extension.get("url")).rpartition("/")[2] in OWN_EXTENSIONS
