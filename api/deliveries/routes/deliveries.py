"""Routes to send screenings to destinations, preview what is sent, and track deliveries."""

from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.auth.route_guard import require_scope
from api.auth.services import find_services
from api.deliveries import preview as delivery_preview
from api.deliveries import profiles
from api.deliveries.compose import ComposedPayload
from api.deliveries.compose_request import ComposeContext
from api.deliveries.screening_snapshot import load_screening_snapshot
from api.dependencies import (
    IdempotentRequestDep,
    MeteredRendererDep,
    RequestContextDep,
    ScreeningId,
)
from api.fhir.elements import build_canonical_urls
from api.http.errors.error_responses import BODY_ERRORS, GUARDED_ERRORS, error_responses
from api.http.paging import (
    NextPage,
    PageCursor,
    PageLimit,
    build_cursor_problem,
    build_next_page,
)
from api.store.deliveries import allowed_hosts, destinations, outbox, search
from api.store.deliveries.outbox import NewDelivery
from api.store.deliveries.search import DeliveryFilters
from api.store.idempotency import IdempotentResponse
from api.store.transaction import Transaction
from schemas.base import FrozenModel, Many
from schemas.organisations.delivery import (
    Delivery,
    DeliveryListItem,
    DeliveryPreview,
    Destination,
    DestinationId,
)
from schemas.organisations.profile import Profile
from schemas.patients.patient import KnownPatient

write_router = APIRouter(
    prefix="/v1", tags=["deliveries"], route_class=require_scope("deliveries:write")
)
read_router = APIRouter(
    prefix="/v1", tags=["deliveries"], route_class=require_scope("deliveries:read")
)
DeliveryId = Annotated[
    str,
    Path(
        alias="delivery",
        pattern=r"^[0-9a-f-]{36}$",
        examples=["6f6f6f6f-0000-4000-8000-000000000006"],
    ),
]
_State = Literal["waiting", "under_way", "delivered", "parked", "cancelled"]
StateFilter = Annotated[_State | None, Query(examples=["parked"])]
DestinationFilter = Annotated[
    str | None,
    Query(pattern=r"^d-[0-9a-f-]{36}$", examples=["d-6f6f6f6f-0000-4000-8000-000000000005"]),
]
ScreeningFilter = Annotated[
    str | None,
    Query(pattern=r"^[0-9a-f-]{36}$", examples=["6f6f6f6f-0000-4000-8000-000000000001"]),
]
BeforeCursor = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9T:.-]{19,32}Z_[0-9a-f-]{36}$",
        deprecated=True,
        description="The former name of `cursor`.",
        examples=["2026-11-20T10:00:00Z_6f6f6f6f-0000-4000-8000-000000000006"],
    ),
]
DELIVERIES_PATH = "/v1/deliveries"


class DeliveryTarget(FrozenModel):
    """The destination of a delivery."""

    destination: DestinationId


class DeliveryPage(FrozenModel):
    """A page of deliveries, newest first."""

    deliveries: Many[DeliveryListItem]
    next: NextPage


async def _compose_context(request: Request, renderer: MeteredRendererDep) -> ComposeContext:
    services = find_services(request)
    urls = build_canonical_urls(services.settings.public_url, services.store.canonical_bases)
    return ComposeContext(services.catalogue, renderer, urls)


ComposeContextDep = Annotated[ComposeContext, Depends(_compose_context)]


@write_router.post(
    "/screenings/{screening}/deliveries",
    operation_id="deliver_screening",
    status_code=201,
    response_model=DeliveryListItem,
    responses=error_responses(*BODY_ERRORS, 404, 409),
    summary="Send a screening to a destination",
)
def deliver_screening(
    screening: ScreeningId,
    target: DeliveryTarget,
    acts: RequestContextDep,
    creating: IdempotentRequestDep,
    context: ComposeContextDep,
) -> Response:
    """Queue a delivery. It is refused at once if the destination would not accept it."""
    composition = _compose_result(acts, context, screening, target)
    delivery_preview.require_accepted(composition.payload)

    def enqueue(work: Transaction) -> IdempotentResponse:
        line = delivery_preview.determine_ordering_line(
            work, composition.profile, composition.patient
        )
        request = NewDelivery(target.destination, screening, "result", line)
        delivery = outbox.enqueue_delivery(work, request)
        work.audit("deliver", "delivery", delivery.id, outcome="enqueued")
        body = delivery.model_dump_json().encode()
        return IdempotentResponse(201, body, f"/v1/deliveries/{delivery.id}", screening)

    return creating.run_once(enqueue)


@write_router.post(
    "/screenings/{screening}/deliveries/preview",
    operation_id="preview_delivery",
    responses=error_responses(*BODY_ERRORS, 404, 409),
    summary="Preview a delivery",
)
def preview_delivery(
    screening: ScreeningId,
    target: DeliveryTarget,
    acts: RequestContextDep,
    context: ComposeContextDep,
) -> DeliveryPreview:
    """Return the exact content, and every reason for a refusal. Nothing is sent or stored."""
    composition = _compose_result(acts, context, screening, target)
    with acts.transaction() as work:
        hosts = allowed_hosts.list_allowed_hosts(work)
        work.audit("report", "screening", screening, outcome="previewed")
    return delivery_preview.build_preview(
        composition.payload, composition.destination, composition.profile, hosts
    )


@read_router.get(
    "/deliveries",
    operation_id="list_deliveries",
    responses=error_responses(*GUARDED_ERRORS),
    summary="List deliveries",
)
def list_deliveries(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    acts: RequestContextDep,
    *,
    state: StateFilter = None,
    destination: DestinationFilter = None,
    screening: ScreeningFilter = None,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
    before: BeforeCursor = None,
) -> DeliveryPage:
    """List deliveries, newest first. Deliveries with `state=parked` need manual review."""
    criteria = DeliveryFilters(state, destination, screening, _parse_cursor(cursor or before))
    with acts.transaction() as work:
        rows = search.list_deliveries(work, criteria, limit + 1)
        page = rows[:limit]
        work.audit("list", "delivery", count=max(len(page), 1))
    last = f"{_format_timestamp(page[-1].created_at)}_{page[-1].id}" if len(rows) > limit else None
    filters = {"state": state, "destination": destination, "screening": screening}
    next_page = build_next_page(DELIVERIES_PATH, last, limit=limit, **filters)
    return DeliveryPage(deliveries=tuple(page), next=next_page)


@read_router.get(
    "/deliveries/{delivery}",
    operation_id="read_delivery",
    responses=error_responses(*GUARDED_ERRORS, 404),
    summary="Read a delivery",
)
def read_delivery(delivery: DeliveryId, acts: RequestContextDep) -> Delivery:
    """Return a delivery with every attempt: its times, its outcome and the receiver's reply."""
    with acts.transaction() as work:
        response = outbox.find_delivery(work, delivery)
        work.audit("read", "delivery", delivery)
    return response


@write_router.post(
    "/deliveries/{delivery}/resend",
    operation_id="resend_delivery",
    responses=error_responses(*GUARDED_ERRORS, 404, 409),
    summary="Send a delivery again",
)
def resend_delivery(delivery: DeliveryId, acts: RequestContextDep) -> Delivery:
    """Send the same bytes under the same control id; attempts are counted from the start."""
    with acts.transaction() as work:
        resent = outbox.resend_delivery(work, delivery)
        work.audit("deliver", "delivery", delivery, outcome="resent")
    return resent


@write_router.post(
    "/deliveries/{delivery}/cancel",
    operation_id="cancel_delivery",
    responses=error_responses(*GUARDED_ERRORS, 404, 409),
    summary="Cancel a delivery",
)
def cancel_delivery(delivery: DeliveryId, acts: RequestContextDep) -> Delivery:
    """Cancel a waiting or parked delivery; it is not sent."""
    with acts.transaction() as work:
        cancelled = outbox.cancel_delivery(work, delivery)
        work.audit("deliver", "delivery", delivery, outcome="cancelled")
    return cancelled


class _ComposedResult(NamedTuple):
    """A screening composed as a first result for its destination."""

    patient: KnownPatient
    destination: Destination
    profile: Profile
    payload: ComposedPayload


def _compose_result(
    acts: RequestContextDep, context: ComposeContext, screening: str, target: DeliveryTarget
) -> _ComposedResult:
    """Load and compose a screening. Raises Problem `conflict` for an obsolete one."""
    with acts.transaction() as work:
        snapshot = load_screening_snapshot(work, screening)
        destination = destinations.find_destination(work, target.destination)
        count = 1 + len(snapshot.report_source.earlier)
        work.audit("read", "screening", screening, count=count)
    delivery_preview.require_deliverable(snapshot)
    profile = profiles.apply_options(destination.profile, destination.options)
    payload = delivery_preview.compose_for_preview(context, snapshot, profile)
    return _ComposedResult(snapshot.screening.patient, destination, profile, payload)


def _format_timestamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _parse_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    at, _, delivery_id = cursor.rpartition("_")
    try:
        instant = datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, OverflowError):
        instant = None
    if instant is None or not at.endswith("Z"):
        raise build_cursor_problem()
    return instant, delivery_id
