"""Deliveries: a screening put on its way to a destination, shown before, watched after."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.auth.route_guard import guarded
from api.deliveries import preview as deliverie_preview
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
_States = Literal["waiting", "under_way", "delivered", "parked", "cancelled"]
State = Annotated[_States | None, Query(examples=["parked"])]
To = Annotated[
    str | None,
    Query(pattern=r"^d-[0-9a-f-]{36}$", examples=["d-6f6f6f6f-0000-4000-8000-000000000005"]),
]
Of = Annotated[
    str | None,
    Query(pattern=r"^[0-9a-f-]{36}$", examples=["6f6f6f6f-0000-4000-8000-000000000001"]),
]
Before = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9T:.-]{19,32}Z_[0-9a-f-]{36}$",
        description="`next` of the page before.",
        examples=["2026-11-20T10:00:00Z_6f6f6f6f-0000-4000-8000-000000000006"],
    ),
]
_PAGE = 50


class Sending(Frozen):
    """Where to."""

    destination: DestinationId


class ListOfDeliveries(Frozen):
    """A page of deliveries, newest first; `next` is what the page after it begins before."""

    deliveries: Many[DeliveryLine]
    next: str | None


async def _house(request: Request) -> House:
    state = request.app.state
    return House(state.catalogue, state.renderer, Base(state.settings.public_url))


Here = Annotated[House, Depends(_house)]


@writing.post(
    "/screenings/{screening}/deliveries",
    operation_id="deliver_screening",
    status_code=201,
    response_model=DeliveryLine,
    responses=refusals(*TAKING, 404, 409),
    summary="Send a screening to a destination",
)
def deliver(
    screening: ScreeningId, sending: Sending, acts: Acting, creating: Creating, house: Here
) -> Response:
    """Put on its way; refused at once where the destination would not take it."""
    about, destination = _both(acts, screening, sending.destination)
    event = deliverie_preview.event_of(about)
    profile = profiles.own(destination.profile, destination.options)
    deliverie_preview.fitting(deliverie_preview.made(house, about, event, profile))

    def made(work: Transaction) -> Answer:
        line = deliverie_preview.line(work, profile, about.screening.patient)
        wanted = Wanted(sending.destination, screening, event, line)
        enqueued = outbox.enqueue(work, wanted)
        work.audit("deliver", "delivery", enqueued.id, outcome="enqueued")
        body = enqueued.model_dump_json().encode()
        return Answer(201, body, f"/v1/deliveries/{enqueued.id}", screening)

    return creating.once(made)


@writing.post(
    "/screenings/{screening}/deliveries/preview",
    operation_id="preview_delivery",
    responses=refusals(*TAKING, 404, 409),
    summary="Show what would be sent",
)
def preview(screening: ScreeningId, sending: Sending, acts: Acting, house: Here) -> Preview:
    """To the byte, with every reason why it would be refused. Nothing is sent or kept."""
    about, destination = _both(acts, screening, sending.destination)
    profile = profiles.own(destination.profile, destination.options)
    made = deliverie_preview.made(house, about, deliverie_preview.event_of(about), profile)
    with acts.transaction() as work:
        allowed = allowed_hosts.allowed(work)
        work.audit("report", "screening", screening, outcome="previewed")
    return deliverie_preview.preview(made, destination, profile, allowed)


@reading.get(
    "/deliveries",
    operation_id="list_deliveries",
    responses=refusals(*GUARDED),
    summary="List deliveries",
)
def list_deliveries(
    acts: Acting,
    state: State = None,
    destination: To = None,
    screening: Of = None,
    before: Before = None,
) -> ListOfDeliveries:
    """Newest first; `state=parked` are those that a person must look at."""
    narrowed = Narrowed(state, destination, screening, _before(before))
    with acts.transaction() as work:
        found = search.page(work, narrowed, _PAGE)
        work.audit("list", "delivery", count=len(found))
    full = len(found) == _PAGE
    following = f"{_written(found[-1].created_at)}_{found[-1].id}" if full else None
    return ListOfDeliveries(deliveries=tuple(found), next=following)


@reading.get(
    "/deliveries/{delivery}",
    operation_id="read_delivery",
    responses=refusals(*GUARDED, 404),
    summary="Read a delivery",
)
def read_delivery(delivery: DeliveryId, acts: Acting) -> Delivery:
    """Every try, when and how it ended, and what the receiver said."""
    with acts.transaction() as work:
        found = outbox.found(work, delivery)
        work.audit("read", "delivery", delivery)
    return found


@writing.post(
    "/deliveries/{delivery}/resend",
    operation_id="resend_delivery",
    responses=refusals(*GUARDED, 404, 409),
    summary="Send a delivery again",
)
def resend(delivery: DeliveryId, acts: Acting) -> Delivery:
    """The same bytes under the same number, from the first try on."""
    with acts.transaction() as work:
        again = outbox.resend(work, delivery)
        work.audit("deliver", "delivery", delivery, outcome="resent")
    return again


@writing.post(
    "/deliveries/{delivery}/cancel",
    operation_id="cancel_delivery",
    responses=refusals(*GUARDED, 404, 409),
    summary="Give a delivery up",
)
def cancel(delivery: DeliveryId, acts: Acting) -> Delivery:
    """What waits or was parked is not sent."""
    with acts.transaction() as work:
        cancelled = outbox.cancel(work, delivery)
        work.audit("deliver", "delivery", delivery, outcome="cancelled")
    return cancelled


def _both(acts: Acting, screening: str, destination: str) -> tuple[Subject, Destination]:
    with acts.transaction() as work:
        about = subject(work, screening)
        found = destinations.found(work, destination)
        count = 1 + len(about.told.earlier)
        work.audit("read", "screening", screening, count=count)
    return about, found


def _written(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _before(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    at, _, last = cursor.rpartition("_")
    try:
        instant = datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, OverflowError):
        instant = None
    if instant is None or not at.endswith("Z"):
        wrong = FieldError(pointer="/before", code="cursor", detail="must be `next` of a page")
        raise Problem("wrong_shape", errors=[wrong])
    return instant, last
