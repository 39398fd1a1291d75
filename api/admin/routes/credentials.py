"""Routes to administer a client's credentials; secrets and API keys are shown once, on creation."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field, computed_field

from api.admin.common import ClientId, ClientRoute, Scopes, build_created_response
from api.dependencies import (
    LOWER_CASE,
    CurrentCaller,
    IdempotentRequestDep,
    RequestContextDep,
    build_id_parameter,
)
from api.http.allowed_url import require_allowed_url
from api.http.errors.error_responses import error_responses
from api.outbound.http_client import HTTP_SCHEMES
from api.problems import FieldError, Problem
from api.store.accounts import clients
from api.store.deliveries import allowed_hosts
from api.store.idempotency import IdempotentResponse
from api.store.transaction import Transaction
from schemas.base import FrozenModel
from schemas.organisations.organisation import CredentialSummary, PublishedKey

router = APIRouter(prefix="/v1/clients/{client}", tags=["administration"], route_class=ClientRoute)
SecretId = Annotated[str, build_id_parameter("secret", 4), LOWER_CASE]
KeyId = Annotated[str, Path(alias="key", pattern=r"^[0-9a-f]{16}$", examples=["0123456789abcdef"])]
Kid = Annotated[str, Path(alias="kid", pattern=r"^[A-Za-z0-9._:-]{1,128}$", examples=["2026-11"])]
Days = Annotated[int, Field(ge=1, le=3660)]


class NewPublicKey(FrozenModel):
    """A public key as a JWK (RFC 7517): RSA of 2048 bits or more, P-256 or P-384."""

    jwk: dict[str, Any]


class ClientKeySet(FrozenModel):
    """The URL of the JWK set where a client publishes its public keys."""

    url: Annotated[str, Field(min_length=1, max_length=2000)]


class NewApiKey(FrozenModel):
    """An API key to be created."""

    scopes: Scopes
    expires_in_days: Days = 365


class NewCredential(CredentialSummary):
    """A secret or an API key, which is shown only in this response."""

    secret: str = Field(description="The secret or the API key, shown only this once.")

    @computed_field(  # type: ignore[prop-decorator]
        json_schema_extra={"deprecated": True}, description="The former name of `secret`."
    )
    @property
    def text(self) -> str:
        """Return the secret."""
        return self.secret


@router.post(
    "/secrets",
    status_code=201,
    response_model=NewCredential,
    responses=error_responses(409),
    summary="Create a secret",
)
def add_secret(client: ClientId, idempotent_request: IdempotentRequestDep) -> Response:
    """Create a secret. A client may have two at a time, so that it can be rotated."""

    def create(work: Transaction) -> IdempotentResponse:
        credential, text = clients.add_secret(work, client)
        work.audit("administer", "secret", credential.id)
        return build_created_response(NewCredential(**credential.model_dump(), secret=text))

    return idempotent_request.run_once(create)


@router.delete("/secrets/{secret}", status_code=204, summary="Delete a secret")
def delete_secret(client: ClientId, secret: SecretId, context: RequestContextDep) -> None:
    """Delete the secret. The client can no longer authenticate with it."""
    with context.transaction() as work:
        clients.revoke_secret(work, client, secret)
        work.audit("administer", "secret", secret)


@router.post(
    "/keys",
    status_code=201,
    response_model=PublishedKey,
    responses=error_responses(409),
    summary="Register a public key",
)
def add_key(
    client: ClientId, new_key: NewPublicKey, idempotent_request: IdempotentRequestDep
) -> Response:
    """Register a key for `private_key_jwt`. Its type sets the algorithm: RS384, ES256 or ES384."""

    def register(work: Transaction) -> IdempotentResponse:
        try:
            public_key = clients.add_client_key(work, client, new_key.jwk)
        except ValueError as error:
            fault = FieldError(pointer="/jwk", code="jwk", detail=str(error))
            raise Problem("invalid_request", errors=[fault]) from None
        work.audit("administer", "public_key", client)
        return build_created_response(public_key)

    return idempotent_request.run_once(register)


@router.delete("/keys/{kid}", status_code=204, summary="Delete a public key")
def delete_key(client: ClientId, kid: Kid, context: RequestContextDep) -> None:
    """Delete the public key. The client can no longer authenticate with it."""
    with context.transaction() as work:
        clients.revoke_client_key(work, client, kid)
        work.audit("administer", "public_key", client)


@router.put("/key-set", responses=error_responses(409), summary="Set the JWKS URL of a client")
def set_key_set(
    client: ClientId, key_set: ClientKeySet, context: RequestContextDep
) -> ClientKeySet:
    """Set the JWKS URL for `private_key_jwt`. To rotate a key, publish the new one next to it.

    The service fetches the set when needed, and only from hosts that the operator has allowed.
    """
    with context.transaction() as work:
        clients.find_client(work, client)
        hosts = allowed_hosts.list_allowed_hosts(work)
        require_allowed_url("/url", key_set.url, HTTP_SCHEMES, hosts)
        clients.set_key_set_url(work, client, key_set.url)
        work.audit("administer", "key_set", client)
    return key_set


@router.delete("/key-set", status_code=204, summary="Delete the JWKS URL of a client")
def delete_key_set(client: ClientId, context: RequestContextDep) -> None:
    """Delete the URL. The client can no longer authenticate with the keys published there."""
    with context.transaction() as work:
        clients.delete_key_set_url(work, client)
        work.audit("administer", "key_set", client)


@router.post(
    "/api-keys",
    status_code=201,
    response_model=NewCredential,
    responses=error_responses(409),
    summary="Create an API key",
)
def add_api_key(
    client: ClientId,
    new_key: NewApiKey,
    idempotent_request: IdempotentRequestDep,
    caller: CurrentCaller,
) -> Response:
    """Create a key for simple clients: sent as `X-API-Key`, no token needed.

    Its scopes must be among those of the client.
    """

    def create(work: Transaction) -> IdempotentResponse:
        expires_at = work.now + timedelta(days=new_key.expires_in_days)
        try:
            credential, text = clients.add_api_key(
                work, client, new_key.scopes, expires_at, test=caller.test
            )
        except ValueError:
            raise Problem(
                "conflict", "The scopes of an API key must be among those of its client."
            ) from None
        work.audit("administer", "api_key", credential.id)
        return build_created_response(NewCredential(**credential.model_dump(), secret=text))

    return idempotent_request.run_once(create)


@router.delete("/api-keys/{key}", status_code=204, summary="Revoke an API key")
def revoke_api_key(client: ClientId, key: KeyId, context: RequestContextDep) -> None:
    """Revoke the API key from the next request on."""
    with context.transaction() as work:
        clients.revoke_api_key(work, client, key)
        work.audit("administer", "api_key", key)
