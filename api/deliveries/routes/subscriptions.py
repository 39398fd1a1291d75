"""Routes of FHIR Subscriptions (R4 backport, rest-hook): a destination that is notified by topic.

The endpoint must answer a handshake before the subscription is stored, and be at an allowed host.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Request, Response

from api.auth.services import find_services
from api.deliveries.preview import check_destination
from api.deliveries.subscription_notification import (
    SubscriptionState,
    build_notification,
)
from api.deliveries.transports.rest_hook import send_over_rest_hook
from api.dependencies import RequestContextDep, build_id_parameter
from api.fhir.elements import FHIR_JSON, CanonicalUrls, Resource
from api.fhir.http import (
    RequireJson,
    guarded_fhir_route,
    outcome_responses,
    resource_response,
    send_resource,
)
from api.fhir.parameters import CanonicalUrlsDep, SubscriptionBody
from api.fhir.parsing.subscription import parse_subscription
from api.fhir.resources.operation_outcome import InvalidResource, OutcomeIssue
from api.http.errors.error_responses import BODY_ERRORS, GUARDED_ERRORS
from api.outbound.bulkhead import BulkheadFullError
from api.outbound.connection import ConnectionPolicy
from api.problems import Problem
from api.store.deliveries import allowed_hosts, destinations, subscriptions
from api.store.deliveries.destinations import DestinationSecrets
from api.store.transaction import Transaction
from schemas.organisations.delivery import Destination, SubscriptionTerms

HANDSHAKE_SECONDS = 10.0
SubscriptionId = Annotated[str, build_id_parameter("subscription", 9, "The id from creating it.")]
router = APIRouter(
    prefix="/fhir/Subscription",
    tags=["FHIR"],
    route_class=guarded_fhir_route("destinations:admin"),
    dependencies=[RequireJson],
)


@router.post(
    "",
    operation_id="create_subscription",
    status_code=201,
    response_class=Response,
    responses=resource_response("Subscription", 201) | outcome_responses(*BODY_ERRORS, 406, 409),
    summary="Subscribe to a topic",
)
def create_subscription(
    resource: SubscriptionBody, request: Request, context: RequestContextDep, urls: CanonicalUrlsDep
) -> Response:
    """Sends the handshake, and stores the subscription if the endpoint accepts it.

    Topics: `SubscriptionTopic/screening-stored` and `SubscriptionTopic/red-flag`.
    """
    endpoint, terms = parse_subscription(resource, urls)
    secrets = DestinationSecrets(address=endpoint, subscription=terms)
    with context.transaction() as work:
        hosts = allowed_hosts.list_allowed_hosts(work)
        work.audit("list", "place")
    check_destination(subscriptions.PROFILE, secrets, hosts)
    number = str(uuid4())
    handshake = build_notification(urls, SubscriptionState(number, terms), "handshake")
    content = json.dumps(handshake, separators=(",", ":")).encode()
    policy = ConnectionPolicy(hosts, HANDSHAKE_SECONDS)
    try:
        with find_services(request).bulkhead.enter(context.actor.organisation):
            result = send_over_rest_hook(content, endpoint, terms.headers, policy.start_deadline())
    except BulkheadFullError:
        detail = "Too many handshakes are under way. Try again later."
        raise Problem("unavailable", detail, headers={"Retry-After": "10"}) from None
    if result.disposition != "delivered":
        text = f"must accept the handshake ({result.outcome} {result.receiver_code})".strip()
        issue = OutcomeIssue("business-rule", text, "Subscription.channel.endpoint")
        raise InvalidResource("invalid_request", [issue])
    with context.transaction() as work:
        subscriptions.add_subscription(work, number, secrets)
        destination, _ = subscriptions.find_subscription(work, number)
        work.audit("administer", "destination", destination.id)
    find_services(request).metrics.record_delivery_attempt(result.outcome)
    location = f"{urls.fhir_url}/Subscription/{number}"
    return send_resource(_build_resource(urls, destination, terms), status=201, Location=location)


@router.get(
    "/{subscription}",
    operation_id="read_subscription",
    response_class=Response,
    responses=resource_response("Subscription") | outcome_responses(*GUARDED_ERRORS, 404, 406),
    summary="Read a Subscription",
)
def read_subscription(
    subscription: SubscriptionId, context: RequestContextDep, urls: CanonicalUrlsDep
) -> Response:
    """Returns the subscription without its headers, which may hold secrets."""
    with context.transaction() as work:
        destination, terms = subscriptions.find_subscription(work, subscription)
        work.audit("read", "destination", destination.id)
    return send_resource(_build_resource(urls, destination, terms))


@router.delete(
    "/{subscription}",
    operation_id="delete_subscription",
    status_code=204,
    response_class=Response,
    responses=outcome_responses(*GUARDED_ERRORS, 404, 406),
    summary="End a Subscription",
)
def delete_subscription(subscription: SubscriptionId, context: RequestContextDep) -> Response:
    """Ends the subscription: nothing more is sent. What was sent stays on record."""
    with context.transaction() as work:
        destination, _ = subscriptions.find_subscription(work, subscription)
        secrets = destinations.find_destination_secrets(work, destination.id)
        destinations.update_destination(work, destination.id, {"active": False}, secrets)
        work.audit("administer", "destination", destination.id)
    return Response(status_code=204)


@router.get(
    "/{subscription}/$status",
    operation_id="read_subscription_status",
    response_class=Response,
    responses=resource_response("Bundle") | outcome_responses(*GUARDED_ERRORS, 404, 406),
    summary="Read the state of a Subscription",
)
def read_subscription_status(
    subscription: SubscriptionId, context: RequestContextDep, urls: CanonicalUrlsDep
) -> Response:
    """Returns whether it is active, in error or ended, and how many events there were."""
    with context.transaction() as work:
        destination, terms = subscriptions.find_subscription(work, subscription)
        state = _build_state(work, destination, terms)
        work.audit("read", "destination", destination.id)
    bundle = build_notification(urls, state, "query-status")
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return send_resource(bundle | {"id": str(uuid4()), "meta": {"lastUpdated": now}})


def _build_state(
    work: Transaction, destination: Destination, terms: SubscriptionTerms
) -> SubscriptionState:
    count = subscriptions.count_events(work, destination.id)
    number = destination.id.removeprefix("d-")
    return SubscriptionState(number, terms, count, _find_status(destination))


def _find_status(destination: Destination) -> Any:
    """Return `error` while a notification was given up, and `off` once it was ended."""
    if not destination.active:
        return "off"
    return "error" if destination.parked else "active"


def _build_resource(
    urls: CanonicalUrls, destination: Destination, terms: SubscriptionTerms
) -> Resource:
    content = {"url": _CONTENT_EXTENSION, "valueCode": terms.content}
    return {
        "resourceType": "Subscription",
        "id": destination.id.removeprefix("d-"),
        "meta": {"profile": [_PROFILE]},
        "status": _find_status(destination),
        "reason": terms.reason or terms.topic,
        "criteria": urls.topic_url(terms.topic),
        "channel": {
            "type": "rest-hook",
            "endpoint": destination.address,
            "payload": FHIR_JSON,
            "_payload": {"extension": [content]},
        },
    }


_GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
_PROFILE = f"{_GUIDE}/backport-subscription"
_CONTENT_EXTENSION = f"{_GUIDE}/backport-payload-content"
