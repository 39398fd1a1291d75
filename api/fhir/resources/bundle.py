"""Bundles: a page of a search, the transaction that brings a screening to an EHR, a document."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from api.fhir.elements import URN, Resource, Version, identifier, instant, urn

_ONCE = {"DocumentReference": "masterIdentifier"}


def searchset(
    resources: Iterable[Resource], base: str, itself: str, following: str | None = None
) -> Resource:
    """One page of what a search found."""
    links = [{"relation": "self", "url": itself}]
    if following is not None:
        links.append({"relation": "next", "url": following})
    entries = [
        {
            "fullUrl": f"{base}/{each['resourceType']}/{each['id']}",
            "resource": each,
            "search": {"mode": "match"},
        }
        for each in resources
    ]
    told: Resource = {"resourceType": "Bundle", "type": "searchset", "link": links}
    return told | ({"entry": entries} if entries else {})


def transaction(version: Version, resources: list[Resource]) -> Resource:
    """What creates these resources in another server, each once however often it is sent."""
    entries = [
        {
            "fullUrl": urn(version, each["resourceType"]),
            "resource": _unnumbered(_once(version, each)),
            "request": {
                "method": "POST",
                "url": each["resourceType"],
                "ifNoneExist": _condition(_once(version, each)),
            },
        }
        for each in resources
    ]
    told = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    pointed: Resource = _pointed(told, _addresses(version, resources))
    return pointed


def document(version: Version, resources: list[Resource]) -> Resource:
    """A document of these resources; the first is its Composition."""
    entries = [
        {"fullUrl": urn(version, each["resourceType"]), "resource": each} for each in resources
    ]
    told = {
        "resourceType": "Bundle",
        "identifier": {"system": URN, "value": urn(version, "document bundle")},
        "type": "document",
        "timestamp": instant(version.screening.created_at),
        "entry": entries,
    }
    pointed: Resource = _pointed(told, _addresses(version, resources))
    return pointed


def _once(version: Version, resource: Resource) -> Resource:
    """A correction goes under an identifier of its own, or an EHR would take it for the first."""
    if resource["resourceType"] != "QuestionnaireResponse" or not version.corrects:
        return resource
    return resource | {"identifier": identifier(version, "QuestionnaireResponse")}


def _unnumbered(resource: Resource) -> Resource:
    return {name: each for name, each in resource.items() if name not in ("id", "meta")}


def _condition(resource: Resource) -> str:
    named = resource[_ONCE.get(resource["resourceType"], "identifier")]
    first: Mapping[str, str] = named[0] if isinstance(named, list) else named
    return f"identifier={_escaped(first.get('system', ''))}|{_escaped(first['value'])}"


def _escaped(text: str) -> str:
    """As a token is written in a search: `,`, `|` and `$` are not what they separate elsewhere."""
    kept = "".join(f"\\{each}" if each in "\\,|$" else each for each in text)
    return quote(kept, safe=":/.-_~")


def _addresses(version: Version, resources: list[Resource]) -> dict[str, str]:
    return {
        f"{each['resourceType']}/{each['id']}": urn(version, each["resourceType"])
        for each in resources
    }


def _pointed(value: Any, addresses: Mapping[str, str]) -> Any:
    """The same with every reference to what is in the bundle pointing into it."""
    match value:
        case {"reference": str(literal), **others} if literal in addresses:
            return {"reference": addresses[literal], **others}
        case dict():
            return {name: _pointed(each, addresses) for name, each in value.items()}
        case list():
            return [_pointed(each, addresses) for each in value]
    return value
