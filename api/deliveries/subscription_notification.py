"""Builds the notifications of a Subscription (R4 backport): a Bundle that begins with its status.

What a screening says is in a notification only if the subscriber asked for `full-resource`.
"""

from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from api.fhir.elements import CanonicalUrls, Resource, format_instant
from schemas.organisations.delivery import SubscriptionTerms

NotificationType = Literal["handshake", "event-notification", "query-status"]
_PROFILE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"


class NotifiedEvent(NamedTuple):
    """One event: its number in the subscription, and the response that it is about."""

    number: int
    at: datetime
    response_id: str
    method: Literal["POST", "PUT"]
    resource: Resource | None = None


class SubscriptionState(NamedTuple):
    """A subscription as its notifications name it."""

    id: str
    terms: SubscriptionTerms
    event_count: int = 0
    status: Literal["requested", "active", "off", "error"] = "active"


def build_notification(
    urls: CanonicalUrls,
    state: SubscriptionState,
    kind: NotificationType,
    event: NotifiedEvent | None = None,
) -> Resource:
    """Return the Bundle of a handshake, of the status, or of one event."""
    address = f"{urls.fhir_url}/Subscription/{state.id}/$status"
    status = _build_status(urls, state, kind, event)
    entry: dict[str, Any] = {
        "fullUrl": f"urn:uuid:{uuid5(NAMESPACE_URL, f'{address} {state.event_count} {kind}')}",
        "resource": status,
    }
    if kind == "query-status":
        return {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [entry]}
    entry |= {"request": {"method": "GET", "url": address}, "response": {"status": "200"}}
    entries = [entry]
    if event is not None and state.terms.content != "empty":
        entries.append(_build_event_entry(urls, state, event))
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{_PROFILE}/backport-subscription-notification-r4"]},
        "type": "history",
        "entry": entries,
    }


def _build_status(
    urls: CanonicalUrls, state: SubscriptionState, kind: str, event: NotifiedEvent | None
) -> Resource:
    subscription = {"reference": f"{urls.fhir_url}/Subscription/{state.id}"}
    topic = urls.topic_url(state.terms.topic)
    parameters: list[dict[str, Any]] = [
        {"name": "subscription", "valueReference": subscription},
        {"name": "topic", "valueCanonical": topic},
        {"name": "status", "valueCode": state.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(state.event_count)},
    ]
    if event is not None:
        parts: list[dict[str, Any]] = [
            {"name": "event-number", "valueString": str(event.number)},
            {"name": "timestamp", "valueInstant": format_instant(event.at)},
        ]
        if state.terms.content != "empty":
            focus = {"reference": _build_response_url(urls, event)}
            parts.append({"name": "focus", "valueReference": focus})
        parameters.append({"name": "notification-event", "part": parts})
    return {
        "resourceType": "Parameters",
        "meta": {"profile": [f"{_PROFILE}/backport-subscription-status-r4"]},
        "parameter": parameters,
    }


def _build_event_entry(
    urls: CanonicalUrls, state: SubscriptionState, event: NotifiedEvent
) -> dict[str, Any]:
    url = _build_response_url(urls, event)
    path = "QuestionnaireResponse" if event.method == "POST" else url
    entry: dict[str, Any] = {
        "fullUrl": url,
        "request": {"method": event.method, "url": path},
        "response": {"status": "201" if event.method == "POST" else "200"},
    }
    is_full = state.terms.content == "full-resource" and event.resource is not None
    return entry | ({"resource": event.resource} if is_full else {})


def _build_response_url(urls: CanonicalUrls, event: NotifiedEvent) -> str:
    return f"{urls.fhir_url}/QuestionnaireResponse/{event.response_id}"
