"""Routes to administer the clients of an organisation."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from api.admin.common import (
    ClientId,
    ClientRoute,
    Scopes,
    build_created_response,
    collect_changes,
)
from api.dependencies import IdempotentRequestDep, RequestContextDep
from api.http.errors.error_responses import error_responses
from api.http.paging import (
    MAX_WHOLE_LIST,
    ListLimit,
    NextPage,
    PageCursor,
    build_next_page,
    slice_page,
)
from api.http.preconditions import EntityTagDep, PreconditionDep
from api.store import approvals
from api.store.accounts import clients
from api.store.idempotency import IdempotentResponse
from api.store.transaction import Transaction
from schemas.base import FrozenModel, Many
from schemas.organisations.approvals import Approval, ClientRequest
from schemas.organisations.organisation import Client, Title

router = APIRouter(prefix="/v1/clients", tags=["administration"], route_class=ClientRoute)
PerMinute = Annotated[int, Field(ge=1, le=1_000_000)]


class NewClient(FrozenModel):
    """A client to be created."""

    name: Title
    scopes: Scopes
    requests_per_minute: PerMinute | None = None


class ClientChange(FrozenModel):
    """The changes to a client; omitted members stay as they are."""

    name: Title | None = None
    scopes: Scopes | None = None
    active: bool | None = None
    requests_per_minute: PerMinute | None = None


class ClientList(FrozenModel):
    """A page of the clients of the organisation."""

    clients: Many[Client]
    next: NextPage = None


@router.get("", summary="List clients")
def list_clients(
    context: RequestContextDep, limit: ListLimit = MAX_WHOLE_LIST, cursor: PageCursor = None
) -> ClientList:
    """Return every client with its scopes and its active secrets and keys."""
    with context.transaction() as work:
        rows, last = slice_page(clients.list_clients(work), lambda row: row.id, limit, cursor)
        work.audit("list", "client")
    return ClientList(clients=rows, next=build_next_page(router.prefix, last, limit=limit))


@router.post(
    "",
    status_code=201,
    response_model=Client,
    responses=error_responses(409)
    | {202: {"model": Approval, "description": "A second person must approve it"}},
    summary="Create a client",
)
def add_client(new_client: NewClient, idempotent_request: IdempotentRequestDep) -> Response:
    """Create a client. It authenticates with a secret, public key or API key that you add later."""

    def add(work: Transaction) -> IdempotentResponse:
        request = ClientRequest(**new_client.model_dump())
        outcome = approvals.submit_request(work, request)
        if isinstance(outcome, Client):
            return build_created_response(outcome, f"/v1/clients/{outcome.id}")
        return IdempotentResponse(202, outcome.model_dump_json().encode())

    return idempotent_request.run_once(add)


@router.get("/{client}", summary="Read a client")
def read_client(client: ClientId, context: RequestContextDep, version: EntityTagDep) -> Client:
    """Return the client with its scopes and its active secrets and keys."""
    with context.transaction() as work:
        found_client = clients.find_client(work, client)
        work.audit("read", "client", client)
    version.tag(found_client)
    return found_client


@router.patch("/{client}", responses=error_responses(412), summary="Change a client")
def change_client(
    client: ClientId, change: ClientChange, context: RequestContextDep, version: PreconditionDep
) -> Client:
    """Change the members sent, also for issued tokens. `active` false deactivates the client."""
    with context.transaction() as work:
        version.check(work, lambda: clients.find_client(work, client))
        values = collect_changes(change, nullable="requests_per_minute")
        updated_client = clients.update_client(work, client, values)
        work.audit("administer", "client", client)
    version.tag(updated_client)
    return updated_client
