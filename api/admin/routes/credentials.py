"""Routes to administer a client's credentials; secrets and API keys are shown once, on creation."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field

from api.admin.common import ClientId, Scopes, answered
from api.auth.route_guard import guarded
from api.dependencies import Acting, Calling, Creating
from api.http.error_responses import GUARDED, TAKING, refusals
from api.outbound.allowlist import allowance, target
from api.outbound.errors import OutgoingError
from api.problems import FieldError, Problem
from api.store.accounts import clients
from api.store.deliveries import allowed_hosts
from api.store.idempotency import Answer
from api.store.transaction import Transaction
from schemas.base import Frozen
from schemas.organisation import LiveCredential, PublishedKey

router = APIRouter(prefix="/v1", tags=["administration"], route_class=guarded("admin"))
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
Days = Annotated[int, Field(ge=1, le=3660)]


class NewKey(Frozen):
    """A public key as a JWK (RFC 7517): RSA of 2048 bits or more, P-256 or P-384."""

    jwk: dict[str, Any]


class KeySet(Frozen):
    """The URL of the JWK set where a client publishes its public keys."""

    url: Annotated[str, Field(min_length=1, max_length=2000)]


class NewApiKey(Frozen):
    """An API key to be created."""

    scopes: Scopes
    expires_in_days: Days = 365


class NewCredential(LiveCredential):
    """A secret or an API key with its text, which is shown only in this response."""

    text: str


@router.post(
    "/clients/{client}/secrets",
    operation_id="add_secret",
    status_code=201,
    response_model=NewCredential,
    responses=refusals(*GUARDED, 404, 409),
    summary="Create a secret",
)
def add_secret(
    client: ClientId,
    creating: Creating,
) -> Response:
    """Create a secret. A client may have two at a time, so that it can be rotated."""

    def create(work: Transaction) -> Answer:
        credential, text = clients.add_secret(work, client)
        work.audit("administer", "secret", credential.id)
        return answered(NewCredential(**credential.model_dump(), text=text))

    return creating.once(create)


@router.delete(
    "/clients/{client}/secrets/{secret}",
    operation_id="drop_secret",
    status_code=204,
    responses=refusals(*GUARDED, 404),
    summary="Delete a secret",
)
def drop_secret(client: ClientId, secret: SecretId, acts: Acting) -> None:
    """Delete the secret. The client can no longer authenticate with it."""
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
    """Register a key for `private_key_jwt`. Its type sets the algorithm: RS384, ES256 or ES384."""

    def register(work: Transaction) -> Answer:
        try:
            registered = clients.add_key(work, client, wanted.jwk)
        except ValueError as error:
            fault = FieldError(pointer="/jwk", code="jwk", detail=str(error))
            raise Problem("wrong_shape", errors=[fault]) from None
        work.audit("administer", "public_key", client)
        return answered(registered)

    return creating.once(register)


@router.delete(
    "/clients/{client}/keys/{kid}",
    operation_id="drop_key",
    status_code=204,
    responses=refusals(*GUARDED, 404),
    summary="Delete a public key",
)
def drop_key(client: ClientId, kid: Kid, acts: Acting) -> None:
    """Delete the public key. The client can no longer authenticate with it."""
    with acts.transaction() as work:
        clients.drop_key(work, client, kid)
        work.audit("administer", "public_key", client)


@router.put(
    "/clients/{client}/key-set",
    operation_id="set_key_set",
    responses=refusals(*TAKING, 404, 409),
    summary="Set the JWKS URL of a client",
)
def set_key_set(client: ClientId, wanted: KeySet, acts: Acting) -> KeySet:
    """Set the JWKS URL for `private_key_jwt`. To rotate a key, publish the new one beside the old.

    The service fetches the set when needed, and only from hosts that the operator has allowed.
    """
    with acts.transaction() as work:
        clients.found(work, client)
        _check_reachable(work, wanted.url)
        clients.set_key_set(work, client, wanted.url)
        work.audit("administer", "key_set", client)
    return wanted


@router.delete(
    "/clients/{client}/key-set",
    operation_id="drop_key_set",
    status_code=204,
    responses=refusals(*GUARDED, 404),
    summary="Delete the JWKS URL of a client",
)
def drop_key_set(client: ClientId, acts: Acting) -> None:
    """Delete the URL. The client can no longer authenticate with the keys published there."""
    with acts.transaction() as work:
        clients.drop_key_set(work, client)
        work.audit("administer", "key_set", client)


def _check_reachable(work: Transaction, url: str) -> None:
    """Raise Problem `wrong_shape` for an invalid URL, `conflict` for one that is not allowed."""
    try:
        parsed = target(url, ("https", "http"))
    except ValueError as error:
        fault = FieldError(pointer="/url", code="address", detail=str(error))
        raise Problem("wrong_shape", errors=[fault]) from None
    try:
        entry = allowance(parsed.place, allowed_hosts.allowed(work))
    except OutgoingError:
        raise Problem(
            "conflict", "Whoever runs the service has not allowed this host and port."
        ) from None
    if parsed.scheme == "http" and not entry.private:
        raise Problem("conflict", "Plain HTTP is for what was allowed as private.")


@router.post(
    "/clients/{client}/api-keys",
    operation_id="add_api_key",
    status_code=201,
    response_model=NewCredential,
    responses=refusals(*TAKING, 404, 409),
    summary="Create an API key",
)
def add_api_key(
    client: ClientId,
    wanted: NewApiKey,
    creating: Creating,
    caller: Calling,
) -> Response:
    """Create a key for simple clients: sent as `X-API-Key`, no token needed.

    Its scopes must be among those of the client.
    """

    def create(work: Transaction) -> Answer:
        expires_at = work.now + timedelta(days=wanted.expires_in_days)
        try:
            credential, text = clients.add_api_key(
                work, client, wanted.scopes, expires_at, test=caller.test
            )
        except ValueError:
            raise Problem("conflict", "A key may do no more than its client.") from None
        work.audit("administer", "api_key", credential.id)
        return answered(NewCredential(**credential.model_dump(), text=text))

    return creating.once(create)


@router.delete(
    "/clients/{client}/api-keys/{key}",
    operation_id="revoke_api_key",
    status_code=204,
    responses=refusals(*GUARDED, 404),
    summary="Revoke an API key",
)
def revoke_api_key(client: ClientId, key: KeyId, acts: Acting) -> None:
    """Revoke the API key from the next request on."""
    with acts.transaction() as work:
        clients.revoke_api_key(work, client, key)
        work.audit("administer", "api_key", key)
