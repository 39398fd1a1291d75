"""Routes to manage destinations, and to list allowed hosts and delivery profiles.

Secrets are shown once, when they are created. Only the operator can change the list of allowed
hosts; an organisation can read it.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.auth.route_guard import require_scope
from api.deliveries import destination_setup, profiles
from api.deliveries.destination_setup import (
    DestinationChange,
    DestinationWithSecret,
    NewDestination,
)
from api.dependencies import IdempotentRequestDep, RequestContextDep
from api.http.errors.error_responses import BODY_ERRORS, GUARDED_ERRORS, error_responses
from api.http.paging import (
    MAX_WHOLE_LIST,
    ListLimit,
    NextPage,
    PageCursor,
    build_next_page,
    slice_page,
)
from api.http.preconditions import EntityTagDep, PreconditionDep
from api.store.deliveries import allowed_hosts, destinations
from api.store.idempotency import IdempotentResponse
from api.store.transaction import Transaction
from schemas.base import FrozenModel, Many
from schemas.organisations.delivery import AllowedEndpoint, Destination
from schemas.organisations.profile import Profile

router = APIRouter(
    prefix="/v1", tags=["deliveries"], route_class=require_scope("destinations:admin")
)
EXAMPLE_DESTINATION_ID = "d-6f6f6f6f-0000-4000-8000-000000000005"
DestinationId = Annotated[
    str, Path(alias="destination", pattern=r"^d-[0-9a-f-]{36}$", examples=[EXAMPLE_DESTINATION_ID])
]


class DestinationList(FrozenModel):
    """A page of the destinations of the organisation."""

    destinations: Many[Destination]
    next: NextPage = None


class AllowedHostList(FrozenModel):
    """Hosts and ports that the organisation's deliveries may be sent to."""

    places: Many[AllowedEndpoint]
    next: NextPage = None


class DeliveryProfileList(FrozenModel):
    """All delivery profiles; unconfirmed facts are assumptions."""

    profiles: Many[Profile]


@router.get(
    "/places",
    operation_id="list_allowed_hosts",
    responses=error_responses(*GUARDED_ERRORS),
    summary="List allowed hosts",
)
def list_allowed_hosts(
    acts: RequestContextDep, limit: ListLimit = MAX_WHOLE_LIST, cursor: PageCursor = None
) -> AllowedHostList:
    """List the hosts and ports that the operator has allowed."""
    with acts.transaction() as work:
        all_hosts = [
            AllowedEndpoint(
                **allowed_host.host_port._asdict(), private=allowed_host.is_private_allowed
            )
            for allowed_host in allowed_hosts.list_allowed_hosts(work)
        ]
        places, last = slice_page(all_hosts, lambda row: f"{row.host}:{row.port}", limit, cursor)
        work.audit("list", "place")
    next_page = build_next_page("/v1/places", last, limit=limit)
    return AllowedHostList(places=places, next=next_page)


@router.get(
    "/delivery-profiles",
    operation_id="list_profiles",
    responses=error_responses(*GUARDED_ERRORS),
    summary="List delivery profiles",
)
def list_profiles(acts: RequestContextDep) -> DeliveryProfileList:
    """List how each kind of receiver accepts a screening, and which facts are unconfirmed."""
    with acts.transaction() as work:
        work.audit("list", "profile")
    return DeliveryProfileList(profiles=tuple(profiles.load_profiles().values()))


@router.get(
    "/destinations",
    operation_id="list_destinations",
    responses=error_responses(*GUARDED_ERRORS),
    summary="List destinations",
)
def list_destinations(
    acts: RequestContextDep, limit: ListLimit = MAX_WHOLE_LIST, cursor: PageCursor = None
) -> DestinationList:
    """List every destination, with its numbers of waiting and parked deliveries."""
    with acts.transaction() as work:
        all_destinations = tuple(destinations.list_destinations(work))
        rows, last = slice_page(all_destinations, lambda row: row.id, limit, cursor)
        work.audit("list", "destination")
    next_page = build_next_page("/v1/destinations", last, limit=limit)
    return DestinationList(destinations=rows, next=next_page)


@router.post(
    "/destinations",
    operation_id="add_destination",
    status_code=201,
    response_model=DestinationWithSecret,
    responses=error_responses(*BODY_ERRORS, 409),
    summary="Add a destination",
)
def add_destination(new_destination: NewDestination, creating: IdempotentRequestDep) -> Response:
    """Add a destination at an allowed host. A key for SMART Backend Services is generated."""

    def create(work: Transaction) -> IdempotentResponse:
        created = destination_setup.add_destination(work, new_destination)
        return IdempotentResponse(
            201, created.model_dump_json().encode(), f"/v1/destinations/{created.id}"
        )

    return creating.run_once(create)


@router.get(
    "/destinations/{destination}",
    operation_id="read_destination",
    responses=error_responses(*GUARDED_ERRORS, 404),
    summary="Read a destination",
)
def read_destination(
    destination: DestinationId, acts: RequestContextDep, version: EntityTagDep
) -> Destination:
    """Return a destination without its secrets."""
    with acts.transaction() as work:
        response = destinations.find_destination(work, destination)
        work.audit("read", "destination", destination)
    version.tag(response)
    return response


@router.patch(
    "/destinations/{destination}",
    operation_id="change_destination",
    responses=error_responses(*BODY_ERRORS, 404, 409, 412),
    summary="Change a destination",
)
def change_destination(
    destination: DestinationId,
    change: DestinationChange,
    acts: RequestContextDep,
    version: PreconditionDep,
) -> Destination:
    """Change the given members. Deliveries composed before the change are sent as composed."""
    with acts.transaction() as work:
        version.check(work, lambda: destinations.find_destination(work, destination))
        changed = destination_setup.change_destination(work, destination, change)
    version.tag(changed)
    return changed


@router.post(
    "/destinations/{destination}/webhook-secrets",
    operation_id="add_webhook_secret",
    status_code=201,
    response_model=DestinationWithSecret,
    responses=error_responses(*GUARDED_ERRORS, 404, 409),
    summary="Rotate a webhook secret",
)
def add_webhook_secret(destination: DestinationId, creating: IdempotentRequestDep) -> Response:
    """Add a secret. Webhooks are signed with it and its predecessor until the next rotation."""

    def rotate(work: Transaction) -> IdempotentResponse:
        rotated = destination_setup.rotate_webhook_secret(work, destination)
        return IdempotentResponse(201, rotated.model_dump_json().encode())

    return creating.run_once(rotate)


@router.delete(
    "/destinations/{destination}",
    operation_id="delete_destination",
    status_code=204,
    responses=error_responses(*GUARDED_ERRORS, 404, 409),
    summary="Delete a destination",
)
def delete_destination(destination: DestinationId, acts: RequestContextDep) -> None:
    """Delete a destination that has no deliveries; otherwise deactivate it instead."""
    with acts.transaction() as work:
        destinations.delete_destination(work, destination)
        work.audit("administer", "destination", destination)
