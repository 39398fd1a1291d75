"""Routes to send screenings to destinations, preview what is sent, and track deliveries."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.auth.route_guard import guarded
from api.deliveries import preview as delivery_preview
from api.deliveries import profiles
from api.deliveries.compose_request import House
from api.deliveries.screening_snapshot import Subject, subject
from api.dependencies import Acting, Creating, ScreeningId
from api.fhir.elements import Base
from api.http.error_responses import GUARDED, TAKING, refusals
from api.problems import FieldError, Problem
from api.store.deliveries import allowed_hosts, destinations, outbox, search
from api.store.deliveries.outbox import Wanted
from api.store.deliveries.search import Narrowed
from api.store.idempotency import Answer
from api.store.transaction import Transaction
from schemas.base import Frozen, Many
from schemas.delivery import Delivery, DeliveryLine, Destination, DestinationId, Preview

writing = APIRouter(prefix="/v1", tags=["deliveries"], route_class=guarded("deliveries:write"))
reading = APIRouter(prefix="/v1", tags=["deliveries"], route_class=guarded("deliveries:read"))
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
        description="`next` of the previous page.",
        examples=["2026-11-20T10:00:00Z_6f6f6f6f-0000-4000-8000-000000000006"],
    ),
]
_PAGE_SIZE = 50


class Sending(Frozen):
    """The destination of a delivery."""

    destination: DestinationId


class ListOfDeliveries(Frozen):
    """A page of deliveries, newest first; pass `next` as `before` to get the following page."""

    deliveries: Many[DeliveryLine]
    next: str | None


async def _compose_context(request: Request) -> House:
    state = request.app.state
    return House(state.catalogue, state.renderer, Base(state.settings.public_url))


ComposeContextDep = Annotated[House, Depends(_compose_context)]


@writing.post(
    "/screenings/{screening}/deliveries",
    operation_id="deliver_screening",
    status_code=201,
    response_model=DeliveryLine,
    responses=refusals(*TAKING, 404, 409),
    summary="Send a screening to a destination",
)
def deliver(
    screening: ScreeningId,
    sending: Sending,
    acts: Acting,
    creating: Creating,
    context: ComposeContextDep,
) -> Response:
    """Queue a delivery. It is refused at once if the destination would not accept it."""
    snapshot, destination = _load_screening_and_destination(acts, screening, sending.destination)
    event = delivery_preview.event_of(snapshot)
    profile = profiles.own(destination.profile, destination.options)
    delivery_preview.fitting(delivery_preview.made(context, snapshot, event, profile))

    def enqueue(work: Transaction) -> Answer:
        line = delivery_preview.line(work, profile, snapshot.screening.patient)
        request = Wanted(sending.destination, screening, event, line)
        delivery = outbox.enqueue(work, request)
        work.audit("deliver", "delivery", delivery.id, outcome="enqueued")
        body = delivery.model_dump_json().encode()
        return Answer(201, body, f"/v1/deliveries/{delivery.id}", screening)

    return creating.once(enqueue)


@writing.post(
    "/screenings/{screening}/deliveries/preview",
    operation_id="preview_delivery",
    responses=refusals(*TAKING, 404, 409),
    summary="Preview a delivery",
)
def preview(
    screening: ScreeningId, sending: Sending, acts: Acting, context: ComposeContextDep
) -> Preview:
    """Return the exact content, and every reason for a refusal. Nothing is sent or stored."""
    snapshot, destination = _load_screening_and_destination(acts, screening, sending.destination)
    profile = profiles.own(destination.profile, destination.options)
    payload = delivery_preview.made(context, snapshot, delivery_preview.event_of(snapshot), profile)
    with acts.transaction() as work:
        allowed = allowed_hosts.allowed(work)
        work.audit("report", "screening", screening, outcome="previewed")
    return delivery_preview.preview(payload, destination, profile, allowed)


@reading.get(
    "/deliveries",
    operation_id="list_deliveries",
    responses=refusals(*GUARDED),
    summary="List deliveries",
)
def list_deliveries(
    acts: Acting,
    state: StateFilter = None,
    destination: DestinationFilter = None,
    screening: ScreeningFilter = None,
    before: BeforeCursor = None,
) -> ListOfDeliveries:
    """List deliveries, newest first. Deliveries with `state=parked` need manual review."""
    criteria = Narrowed(state, destination, screening, _parse_cursor(before))
    with acts.transaction() as work:
        page = search.page(work, criteria, _PAGE_SIZE)
        work.audit("list", "delivery", count=len(page))
    is_full = len(page) == _PAGE_SIZE
    next_cursor = f"{_format_timestamp(page[-1].created_at)}_{page[-1].id}" if is_full else None
    return ListOfDeliveries(deliveries=tuple(page), next=next_cursor)


@reading.get(
    "/deliveries/{delivery}",
    operation_id="read_delivery",
    responses=refusals(*GUARDED, 404),
    summary="Read a delivery",
)
def read_delivery(delivery: DeliveryId, acts: Acting) -> Delivery:
    """Return a delivery with every attempt: its times, its outcome and the receiver's reply."""
    with acts.transaction() as work:
        stored = outbox.found(work, delivery)
        work.audit("read", "delivery", delivery)
    return stored


@writing.post(
    "/deliveries/{delivery}/resend",
    operation_id="resend_delivery",
    responses=refusals(*GUARDED, 404, 409),
    summary="Send a delivery again",
)
def resend(delivery: DeliveryId, acts: Acting) -> Delivery:
    """Send the same bytes under the same control id; attempts are counted from the start."""
    with acts.transaction() as work:
        resent = outbox.resend(work, delivery)
        work.audit("deliver", "delivery", delivery, outcome="resent")
    return resent


@writing.post(
    "/deliveries/{delivery}/cancel",
    operation_id="cancel_delivery",
    responses=refusals(*GUARDED, 404, 409),
    summary="Cancel a delivery",
)
def cancel(delivery: DeliveryId, acts: Acting) -> Delivery:
    """Cancel a waiting or parked delivery; it is not sent."""
    with acts.transaction() as work:
        cancelled = outbox.cancel(work, delivery)
        work.audit("deliver", "delivery", delivery, outcome="cancelled")
    return cancelled


def _load_screening_and_destination(
    acts: Acting, screening: str, destination: str
) -> tuple[Subject, Destination]:
    with acts.transaction() as work:
        snapshot = subject(work, screening)
        recipient = destinations.found(work, destination)
        count = 1 + len(snapshot.told.earlier)
        work.audit("read", "screening", screening, count=count)
    return snapshot, recipient


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
        error = FieldError(pointer="/before", code="cursor", detail="must be `next` of a page")
        raise Problem("wrong_shape", errors=[error])
    return instant, delivery_id
