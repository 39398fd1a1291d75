"""Clients: the programs of one's organisation, and what they may do from the next call on."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from api.admin.common import ClientId, Scopes, answered, changes
from api.auth.route_guard import guarded
from api.dependencies import Acting, Creating
from api.http.error_responses import GUARDED, TAKING, refusals
from api.store.accounts import clients
from api.store.idempotency import Answer
from api.store.transaction import Transaction
from schemas.base import Frozen, Many
from schemas.organisation import (
    Client,
    Title,
)

router = APIRouter(prefix="/v1", tags=["administration"], route_class=guarded("admin"))
PerMinute = Annotated[int, Field(ge=1, le=1_000_000)]


class NewClient(Frozen):
    """A client to be made."""

    name: Title
    scopes: Scopes
    requests_per_minute: PerMinute | None = None


class ClientChange(Frozen):
    """What may be changed of a client; what is left out stays."""

    name: Title | None = None
    scopes: Scopes | None = None
    active: bool | None = None
    requests_per_minute: PerMinute | None = None


class ListOfClients(Frozen):
    """All clients of the organisation."""

    clients: Many[Client]


@router.get(
    "/clients",
    operation_id="list_clients",
    responses=refusals(*GUARDED),
    summary="List clients",
)
def list_clients(acts: Acting) -> ListOfClients:
    """Every client with what it may do, and which of its secrets and keys are live."""
    with acts.transaction() as work:
        listed = ListOfClients(clients=tuple(clients.every(work)))
        work.audit("list", "client")
    return listed


@router.post(
    "/clients",
    operation_id="add_client",
    status_code=201,
    response_model=Client,
    responses=refusals(*TAKING, 409),
    summary="Make a client",
)
def add_client(
    wanted: NewClient,
    creating: Creating,
) -> Response:
    """It proves itself by what is added to it: a secret, a public key, an API key."""

    def made(work: Transaction) -> Answer:
        client = clients.add(work, wanted.name, wanted.scopes, wanted.requests_per_minute)
        work.audit("administer", "client", client.id)
        return answered(client, f"/v1/clients/{client.id}")

    return creating.once(made)


@router.get(
    "/clients/{client}",
    operation_id="read_client",
    responses=refusals(*GUARDED, 404),
    summary="Read a client",
)
def read_client(client: ClientId, acts: Acting) -> Client:
    """What it may do, and which of its secrets and keys are live."""
    with acts.transaction() as work:
        found = clients.found(work, client)
        work.audit("read", "client", client)
    return found


@router.patch(
    "/clients/{client}",
    operation_id="change_client",
    responses=refusals(*TAKING, 404),
    summary="Change a client",
)
def change_client(client: ClientId, change: ClientChange, acts: Acting) -> Client:
    """What is named is changed, for its living tokens too. `active` false shuts it out."""
    with acts.transaction() as work:
        wanted = changes(change, nullable="requests_per_minute")
        changed = clients.change(work, client, wanted)
        work.audit("administer", "client", client)
    return changed
