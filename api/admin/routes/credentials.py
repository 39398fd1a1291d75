"""Credentials: what a client proves itself by; each is shown once, when it is made."""

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
from schemas.organisation import (
    LiveCredential,
    PublishedKey,
)

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
    """Where a client publishes its public keys, as a JWK set."""

    url: Annotated[str, Field(min_length=1, max_length=2000)]


class NewApiKey(Frozen):
    """An API key to be made."""

    scopes: Scopes
    expires_in_days: Days = 365


class NewCredential(LiveCredential):
    """A secret or a key, shown this once."""

    text: str


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
        return answered(NewCredential(**credential.model_dump(), text=text))

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
        return answered(registered)

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


@router.put(
    "/clients/{client}/key-set",
    operation_id="set_key_set",
    responses=refusals(*TAKING, 404, 409),
    summary="Say where a client publishes its keys",
)
def set_key_set(client: ClientId, wanted: KeySet, acts: Acting) -> KeySet:
    """For `private_key_jwt` by JWKS URL: a key is changed by publishing another beside it.

    It is fetched when it is needed, from places alone that whoever runs the service has allowed.
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
    summary="Forget where a client publishes its keys",
)
def drop_key_set(client: ClientId, acts: Acting) -> None:
    """Nobody signs in by what is published there any more."""
    with acts.transaction() as work:
        clients.drop_key_set(work, client)
        work.audit("administer", "key_set", client)


def _check_reachable(work: Transaction, url: str) -> None:
    """Raise Problem where the address is none, or leads where connections may not go."""
    try:
        where = target(url, ("https", "http"))
    except ValueError as error:
        fault = FieldError(pointer="/url", code="address", detail=str(error))
        raise Problem("wrong_shape", errors=[fault]) from None
    try:
        at = allowance(where.place, allowed_hosts.allowed(work))
    except OutgoingError:
        raise Problem(
            "conflict", "Whoever runs the service has not allowed this host and port."
        ) from None
    if where.scheme == "http" and not at.private:
        raise Problem("conflict", "Plain HTTP is for what was allowed as private.")


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
        return answered(NewCredential(**credential.model_dump(), text=text))

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
