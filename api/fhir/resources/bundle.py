"""Builds bundles: search pages, transactions for an EHR, and documents."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from api.fhir.elements import (
    URI_SYSTEM,
    Resource,
    ResourceVersion,
    build_resource_identifier,
    derive_urn,
    format_instant,
    label_security,
)

_IDENTIFIER_ELEMENTS = {"DocumentReference": "masterIdentifier"}


def build_searchset(
    resources: Iterable[Resource], base_url: str, self_url: str, next_url: str | None = None
) -> Resource:
    """Return one page of search results, with its links."""
    links = [{"relation": "self", "url": self_url}]
    if next_url is not None:
        links.append({"relation": "next", "url": next_url})
    resource_list = list(resources)
    entries = [
        {
            "fullUrl": f"{base_url}/{resource['resourceType']}/{resource['id']}",
            "resource": resource,
            "search": {"mode": "match"},
        }
        for resource in resource_list
    ]
    labels = map(_keep_security, resource_list)
    bundle: Resource = {
        "resourceType": "Bundle",
        **next((label for label in labels if label), {}),
        "type": "searchset",
        "link": links,
    }
    return bundle | ({"entry": entries} if entries else {})


def build_history_bundle(resources: Iterable[Resource], base_url: str, self_url: str) -> Resource:
    """Return the versions of one resource, the newest first."""
    entries = [_history_entry(resource, base_url) for resource in resources]
    labels = [_keep_security(entry["resource"]) for entry in entries]
    return {
        "resourceType": "Bundle",
        **next((label for label in labels if label), {}),
        "type": "history",
        "total": len(entries),
        "link": [{"relation": "self", "url": self_url}],
        "entry": entries,
    }


def _history_entry(resource: Resource, base_url: str) -> Resource:
    """Return a version as an entry: the first was created, each later one is an update."""
    kind, meta = resource["resourceType"], resource["meta"]
    address = f"{kind}/{resource['id']}"
    is_first = meta["versionId"] == "1"
    return {
        "fullUrl": f"{base_url}/{address}",
        "resource": resource,
        "request": {
            "method": "POST" if is_first else "PUT",
            "url": kind if is_first else address,
        },
        "response": {
            "status": "201" if is_first else "200",
            "etag": f'W/"{meta["versionId"]}"',
            "lastModified": meta["lastUpdated"],
        },
    }


def build_transaction_bundle(version: ResourceVersion, resources: list[Resource]) -> Resource:
    """Return a transaction that creates each resource at most once, however often it is sent."""
    entries = [_transaction_entry(version, resource) for resource in resources]
    bundle = {
        "resourceType": "Bundle",
        **label_security(version),
        "type": "transaction",
        "entry": entries,
    }
    resolved: Resource = _resolve_references(bundle, _full_urls(version, resources))
    return resolved


def build_document_bundle(version: ResourceVersion, resources: list[Resource]) -> Resource:
    """Return a document of these resources; the first must be its Composition."""
    entries = [
        {"fullUrl": derive_urn(version, resource["resourceType"]), "resource": resource}
        for resource in resources
    ]
    bundle = {
        "resourceType": "Bundle",
        **label_security(version),
        "identifier": {"system": URI_SYSTEM, "value": derive_urn(version, "document bundle")},
        "type": "document",
        "timestamp": format_instant(version.screening.created_at),
        "entry": entries,
    }
    resolved: Resource = _resolve_references(bundle, _full_urls(version, resources))
    return resolved


def _transaction_entry(version: ResourceVersion, resource: Resource) -> Resource:
    resource_type = resource["resourceType"]
    identified = _with_own_identifier(version, resource)
    return {
        "fullUrl": derive_urn(version, resource_type),
        "resource": {
            name: element for name, element in identified.items() if name not in ("id", "meta")
        }
        | _keep_security(identified),
        "request": {
            "method": "POST",
            "url": resource_type,
            "ifNoneExist": _identifier_query(identified),
        },
    }


def _keep_security(resource: Resource) -> Resource:
    """Return the meta of a resource without its version here; nothing if it has no label."""
    security = resource.get("meta", {}).get("security")
    return {"meta": {"security": security}} if security else {}


def _with_own_identifier(version: ResourceVersion, resource: Resource) -> Resource:
    """Give a correction its own identifier, or an EHR would take it for the original."""
    if resource["resourceType"] != "QuestionnaireResponse" or not version.is_correction:
        return resource
    return resource | {"identifier": build_resource_identifier(version, "QuestionnaireResponse")}


def _identifier_query(resource: Resource) -> str:
    element = resource[_IDENTIFIER_ELEMENTS.get(resource["resourceType"], "identifier")]
    first: Mapping[str, str] = element[0] if isinstance(element, list) else element
    return f"identifier={_escape_token(first.get('system', ''))}|{_escape_token(first['value'])}"


def _escape_token(text: str) -> str:
    """Escape text for a FHIR token parameter, where `,`, `|` and `$` are separators."""
    escaped = "".join(f"\\{char}" if char in "\\,|$" else char for char in text)
    return quote(escaped, safe=":/.-_~")


def _full_urls(version: ResourceVersion, resources: list[Resource]) -> dict[str, str]:
    return {
        f"{resource['resourceType']}/{resource['id']}": derive_urn(
            version, resource["resourceType"]
        )
        for resource in resources
    }


def _resolve_references(value: Any, full_urls: Mapping[str, str]) -> Any:
    """Replace each reference to a resource of the bundle by its full URL."""
    match value:
        case {"reference": str(literal), **others} if literal in full_urls:
            return {"reference": full_urls[literal], **others}
        case dict():
            return {name: _resolve_references(item, full_urls) for name, item in value.items()}
        case list():
            return [_resolve_references(item, full_urls) for item in value]
    return value
