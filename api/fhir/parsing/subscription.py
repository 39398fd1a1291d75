"""Parses a FHIR Subscription (R4 backport): its topic, its endpoint and the content to send.

What cannot be done is refused by name, so that no subscriber waits for what never comes.
"""

import re
from typing import Any

from api.fhir.elements import FHIR_JSON, CanonicalUrls, Resource
from api.fhir.resources.operation_outcome import InvalidResource, OutcomeIssue
from schemas.organisations.delivery import SubscriptionTerms

TOPICS = ("screening-stored", "red-flag")
CONTENTS = ("empty", "id-only", "full-resource")
MAX_HEADERS = 10
_ELEMENTS = {"resourceType", "id", "meta", "status", "reason", "criteria", "channel", "contact"}
_CHANNEL_ELEMENTS = {"type", "endpoint", "payload", "_payload", "header"}
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}: ?[\x21-\x7e][\x20-\x7e]{0,4000}")
_RESERVED_HEADERS = ("host", "content-type", "content-length", "connection", "transfer-encoding")
_CONTENT = "/backport-payload-content"


def parse_subscription(resource: Resource, urls: CanonicalUrls) -> tuple[str, SubscriptionTerms]:
    """Return the endpoint and the terms. Raises InvalidResource with every issue."""
    channel = resource.get("channel")
    channel = channel if isinstance(channel, dict) else {}
    faults = {**_find_faults(resource), **_find_channel_faults(channel)}
    topics = {urls.topic_url(topic): topic for topic in TOPICS}
    criteria = resource.get("criteria")
    topic = topics.get(urls.resolve_alias(criteria)) if isinstance(criteria, str) else None
    if topic is None:
        faults["Subscription.criteria"] = f"must be one of {', '.join(topics)}"
    content = _read_content(channel)
    if content not in CONTENTS:
        faults["Subscription.channel.payload.extension"] = f"must be one of {', '.join(CONTENTS)}"
    if faults:
        issues = [OutcomeIssue("invalid", text, place) for place, text in faults.items()]
        raise InvalidResource("invalid_request", issues)
    terms: dict[str, Any] = {"topic": topic, "content": content}
    headers = tuple(channel.get("header", ()))
    return channel["endpoint"], SubscriptionTerms(
        **terms, headers=headers, reason=str(resource.get("reason", ""))[:200]
    )


def _find_faults(resource: Resource) -> dict[str, str]:
    faults = {}
    if resource.get("resourceType") != "Subscription":
        faults["Subscription"] = "must be a Subscription"
    if resource.get("status", "requested") != "requested":
        faults["Subscription.status"] = "must be requested"
    if resource.keys() - _ELEMENTS:
        faults["Subscription"] = f"must have no other elements than {', '.join(sorted(_ELEMENTS))}"
    return faults


def _find_channel_faults(channel: dict[str, Any]) -> dict[str, str]:
    place, faults = "Subscription.channel", {}
    if channel.get("type") != "rest-hook":
        faults[f"{place}.type"] = "must be rest-hook"
    if not isinstance(channel.get("endpoint"), str):
        faults[f"{place}.endpoint"] = "must be a URL"
    if channel.get("payload", FHIR_JSON) not in (FHIR_JSON, "application/json"):
        faults[f"{place}.payload"] = f"must be {FHIR_JSON}"
    if channel.keys() - _CHANNEL_ELEMENTS:
        faults[place] = f"must have no other elements than {', '.join(sorted(_CHANNEL_ELEMENTS))}"
    headers = channel.get("header", [])
    if not isinstance(headers, list) or len(headers) > MAX_HEADERS:
        faults[f"{place}.header"] = f"must be a list of at most {MAX_HEADERS}"
    elif not all(map(_is_header, headers)):
        faults[f"{place}.header"] = "must be written as `Name: value`, without reserved names"
    return faults


def _is_header(text: Any) -> bool:
    if not isinstance(text, str) or not _HEADER.fullmatch(text):
        return False
    return text.partition(":")[0].lower() not in _RESERVED_HEADERS


def _read_content(channel: dict[str, Any]) -> Any:
    """Return how much a notification says: `id-only` unless the extension says otherwise."""
    payload = channel.get("_payload")
    extensions = payload.get("extension", ()) if isinstance(payload, dict) else ()
    for extension in extensions if isinstance(extensions, list) else ():
        if isinstance(extension, dict) and str(extension.get("url")).endswith(_CONTENT):
            return extension.get("valueCode")
    return "id-only"
