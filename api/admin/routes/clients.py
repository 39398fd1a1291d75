"""Routes to administer the clients of an organisation."""

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
from schemas.organisation import Client, Title

router = APIRouter(prefix="/v1", tags=["administration"], route_class=guarded("admin"))
PerMinute = Annotated[int, Field(ge=1, le=1_000_000)]


class NewClient(Frozen):
    """A client to be created."""

    name: Title
    scopes: Scopes
    requests_per_minute: PerMinute | None = None


class ClientChange(Frozen):
    """The changes to a client; omitted members stay as they are."""

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
    """Return every client with its scopes and its active secrets and keys."""
    with acts.transaction() as work:
        client_list = ListOfClients(clients=tuple(clients.every(work)))
        work.audit("list", "client")
    return client_list


@router.post(
    "/clients",
    operation_id="add_client",
    status_code=201,
    response_model=Client,
    responses=refusals(*TAKING, 409),
    summary="Create a client",
)
def add_client(
    wanted: NewClient,
    creating: Creating,
) -> Response:
    """Create a client. It authenticates with a secret, public key or API key that you add later."""

    def add(work: Transaction) -> Answer:
        client = clients.add(work, wanted.name, wanted.scopes, wanted.requests_per_minute)
        work.audit("administer", "client", client.id)
        return answered(client, f"/v1/clients/{client.id}")

    return creating.once(add)


@router.get(
    "/clients/{client}",
    operation_id="read_client",
    responses=refusals(*GUARDED, 404),
    summary="Read a client",
)
def read_client(client: ClientId, acts: Acting) -> Client:
    """Return the client with its scopes and its active secrets and keys."""
    with acts.transaction() as work:
        stored = clients.found(work, client)
        work.audit("read", "client", client)
    return stored


@router.patch(
    "/clients/{client}",
    operation_id="change_client",
    responses=refusals(*TAKING, 404),
    summary="Change a client",
)
def change_client(client: ClientId, change: ClientChange, acts: Acting) -> Client:
    """Change the members sent, also for issued tokens. `active` false deactivates the client."""
    with acts.transaction() as work:
        values = changes(change, nullable="requests_per_minute")
        changed = clients.change(work, client, values)
        work.audit("administer", "client", client)
    return changed
