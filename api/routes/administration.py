"""Administration of one's own organisation: its settings, clients, keys and practitioners.

Secrets and keys are shown once, when they are made. A change holds from the next call on.
"""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import AfterValidator, Field

from api.deps import GUARDED, TAKING, Acting, Calling, Creating, guarded, refusals
from api.problems import FieldError, Problem
from api.security.scopes import SCOPES, known
from api.store import clients, organisations, practitioners
from api.store.idempotency import Answer
from api.store.transaction import Transaction
from schemas.base import Frozen, Many
from schemas.organisation import (
    Client,
    LiveCredential,
    Organisation,
    Practitioner,
    PublishedKey,
    Title,
)

router = APIRouter(prefix="/v1", tags=["administration"], route_class=guarded("admin"))
A_CLIENT = "c-6f6f6f6f-0000-4000-8000-000000000001"
ClientId = Annotated[str, Path(alias="client", pattern=r"^c-[0-9a-f-]{36}$", examples=[A_CLIENT])]
PractitionerId = Annotated[
    str,
    Path(
        alias="practitioner",
        pattern=r"^p-[0-9a-f-]{36}$",
        examples=["p-6f6f6f6f-0000-4000-8000-000000000003"],
    ),
]
SecretId = Annotated[
    str,
    Path(
        alias="secret",
        pattern=r"^[0-9a-f-]{36}$",
        examples=["6f6f6f6f-0000-4000-8000-000000000004"],
    ),
]
KeyId = Annotated[str, Path(alias="key", pattern=r"^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
Kid = Annotated[str, Path(alias="kid", pattern=r"^[A-Za-z0-9._:-]{1,128}$", examples=["2026-11"])]


def _known_scope(scope: str) -> str:
    known([scope])
    return scope


Scope = Annotated[
    str, Field(json_schema_extra={"enum": list(SCOPES)}), AfterValidator(_known_scope)
]
Scopes = Annotated[Many[Scope], Field(min_length=1, max_length=len(SCOPES))]
Years = Annotated[int, Field(ge=1, le=100)]
PerMinute = Annotated[int, Field(ge=1, le=1_000_000)]
Days = Annotated[int, Field(ge=1, le=3660)]


class OrganisationChange(Frozen):
    """What may be changed of an organisation; what is left out stays."""

    name: Title | None = None
    test: bool | None = None
    retention_years: Years | None = None


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


class NewKey(Frozen):
    """A public key as a JWK (RFC 7517): RSA of 2048 bits or more, P-256 or P-384."""

    jwk: dict[str, Any]


class NewApiKey(Frozen):
    """An API key to be made."""

    scopes: Scopes
    expires_in_days: Days = 365


class NewPractitioner(Frozen):
    """A practitioner to be entered."""

    reference: Title
    name: Title
    scopes: Many[Scope] = ()


class PractitionerChange(Frozen):
    """What may be changed of a practitioner; what is left out stays."""

    name: Title | None = None
    scopes: Many[Scope] | None = None
    active: bool | None = None


class NewCredential(LiveCredential):
    """A secret or a key, shown this once."""

    text: str


class ListOfClients(Frozen):
    """All clients of the organisation."""

    clients: Many[Client]


class ListOfPractitioners(Frozen):
    """All practitioners of the organisation."""

    practitioners: Many[Practitioner]


@router.get(
    "/organisation",
    operation_id="read_organisation",
    responses=refusals(*GUARDED),
    summary="Read one's organisation",
)
def read_organisation(acts: Acting) -> Organisation:
    """Its name, whether it is a test one, and for how long it keeps."""
    with acts.transaction() as work:
        own = organisations.own(work)
        work.audit("read", "organisation", own.id)
    return own


@router.patch(
    "/organisation",
    operation_id="change_organisation",
    responses=refusals(*TAKING),
    summary="Change one's organisation",
)
def change_organisation(change: OrganisationChange, acts: Acting) -> Organisation:
    """What is named is changed; `retention_years` null keeps for ever."""
    with acts.transaction() as work:
        own = organisations.change(work, _changes(change, nullable="retention_years"))
        work.audit("administer", "organisation", own.id)
    return own


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
        return _made(client, f"/v1/clients/{client.id}")

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
        changes = _changes(change, nullable="requests_per_minute")
        changed = clients.change(work, client, changes)
        work.audit("administer", "client", client)
    return changed


@router.post(
    "/clients/{client}/secrets",
    operation_id="add_secret",
    status_code=201,
    response_model=NewCredential,
    responses=refusals(*GUARDED, 404, 409),
    summary="Make a secret",
)
def add_secret(
    client: ClientId,
    creating: Creating,
) -> Response:
    """A second one may live beside the first, so that a client can change over."""

    def made(work: Transaction) -> Answer:
        credential, text = clients.add_secret(work, client)
        work.audit("administer", "secret", credential.id)
        return _made(NewCredential(**credential.model_dump(), text=text))

    return creating.once(made)


@router.delete(
    "/clients/{client}/secrets/{secret}",
    operation_id="drop_secret",
    status_code=204,
    responses=refusals(*GUARDED, 404),
    summary="Take a secret back",
)
def drop_secret(client: ClientId, secret: SecretId, acts: Acting) -> None:
    """Nobody signs in with it any more."""
    with acts.transaction() as work:
        clients.drop_secret(work, client, secret)
        work.audit("administer", "secret", secret)


@router.post(
    "/clients/{client}/keys",
    operation_id="add_key",
    status_code=201,
    response_model=PublishedKey,
    responses=refusals(*TAKING, 404, 409),
    summary="Register a public key",
)
def add_key(
    client: ClientId,
    wanted: NewKey,
    creating: Creating,
) -> Response:
    """For `private_key_jwt`; the algorithm is the key's own: RS384, ES256 or ES384."""

    def made(work: Transaction) -> Answer:
        try:
            registered = clients.add_key(work, client, wanted.jwk)
        except ValueError as error:
            fault = FieldError(pointer="/jwk", code="jwk", detail=str(error))
            raise Problem("wrong_shape", errors=[fault]) from None
        work.audit("administer", "public_key", client)
        return _made(registered)

    return creating.once(made)


@router.delete(
    "/clients/{client}/keys/{kid}",
    operation_id="drop_key",
    status_code=204,
    responses=refusals(*GUARDED, 404),
    summary="Take a public key back",
)
def drop_key(client: ClientId, kid: Kid, acts: Acting) -> None:
    """Nobody signs in with it any more."""
    with acts.transaction() as work:
        clients.drop_key(work, client, kid)
        work.audit("administer", "public_key", client)


@router.post(
    "/clients/{client}/api-keys",
    operation_id="add_api_key",
    status_code=201,
    response_model=NewCredential,
    responses=refusals(*TAKING, 404, 409),
    summary="Make an API key",
)
def add_api_key(
    client: ClientId,
    wanted: NewApiKey,
    creating: Creating,
    caller: Calling,
) -> Response:
    """For small users: no sign-in, sent as `X-API-Key`. It may do no more than its client."""

    def made(work: Transaction) -> Answer:
        until = work.now + timedelta(days=wanted.expires_in_days)
        try:
            credential, text = clients.add_api_key(
                work, client, wanted.scopes, until, test=caller.test
            )
        except ValueError:
            raise Problem("conflict", "A key may do no more than its client.") from None
        work.audit("administer", "api_key", credential.id)
        return _made(NewCredential(**credential.model_dump(), text=text))

    return creating.once(made)


@router.delete(
    "/clients/{client}/api-keys/{key}",
    operation_id="revoke_api_key",
    status_code=204,
    responses=refusals(*GUARDED, 404),
    summary="Revoke an API key",
)
def revoke_api_key(client: ClientId, key: KeyId, acts: Acting) -> None:
    """It opens nothing any more, from the next call on."""
    with acts.transaction() as work:
        clients.revoke_api_key(work, client, key)
        work.audit("administer", "api_key", key)


@router.get(
    "/practitioners",
    operation_id="list_practitioners",
    responses=refusals(*GUARDED),
    summary="List practitioners",
)
def list_practitioners(acts: Acting) -> ListOfPractitioners:
    """Every person of the organisation who may sign in or attest."""
    with acts.transaction() as work:
        listed = ListOfPractitioners(practitioners=tuple(practitioners.every(work)))
        work.audit("list", "practitioner")
    return listed


@router.post(
    "/practitioners",
    operation_id="add_practitioner",
    status_code=201,
    response_model=Practitioner,
    responses=refusals(*TAKING, 409),
    summary="Enter a practitioner",
)
def add_practitioner(
    wanted: NewPractitioner,
    creating: Creating,
) -> Response:
    """By the reference that the organisation uses for them."""

    def made(work: Transaction) -> Answer:
        entered = practitioners.add(work, wanted.reference, wanted.name, wanted.scopes)
        work.audit("administer", "practitioner", entered.id)
        return _made(entered, f"/v1/practitioners/{entered.id}")

    return creating.once(made)


@router.get(
    "/practitioners/{practitioner}",
    operation_id="read_practitioner",
    responses=refusals(*GUARDED, 404),
    summary="Read a practitioner",
)
def read_practitioner(practitioner: PractitionerId, acts: Acting) -> Practitioner:
    """Reference, name and what they may do."""
    with acts.transaction() as work:
        found = practitioners.found(work, practitioner)
        work.audit("read", "practitioner", practitioner)
    return found


@router.patch(
    "/practitioners/{practitioner}",
    operation_id="change_practitioner",
    responses=refusals(*TAKING, 404),
    summary="Change a practitioner",
)
def change_practitioner(
    practitioner: PractitionerId, change: PractitionerChange, acts: Acting
) -> Practitioner:
    """What is named is changed. `active` false ends what they may do."""
    with acts.transaction() as work:
        changed = practitioners.change(work, practitioner, _changes(change))
        work.audit("administer", "practitioner", practitioner)
    return changed


def _changes(change: Frozen, nullable: str = "") -> dict[str, Any]:
    """What was named; null only where null means something."""
    named = change.model_dump(exclude_unset=True)
    return {name: value for name, value in named.items() if value is not None or name == nullable}


def _made(made: Frozen, location: str | None = None) -> Answer:
    return Answer(201, made.model_dump_json().encode(), location)
