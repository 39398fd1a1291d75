"""Introspection (RFC 7662) and revocation (RFC 7009) of the access tokens of this service.

The client authenticates as at the token endpoint. A token that is unknown, expired, revoked or of
another organisation is `active: false`, and revoking one succeeds: a stranger learns nothing.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.auth import client_authentication
from api.auth.services import find_services
from api.http.bodies.request_body import FORM_MEDIA_TYPE
from api.oauth.client_sign_in import (
    CLIENT_FIELDS,
    OAUTH_RESPONSES,
    STRING_FIELD,
    respond_to_problem,
    sign_in_client,
)
from api.problems import Problem
from api.security.signatures import InvalidTokenError
from api.security.tokens.access_tokens import Principal
from api.store.accounts import callers
from api.store.accounts.callers import Caller
from api.store.transaction import Transaction

router = APIRouter(tags=["authentication"])
_FIELDS = {"token": STRING_FIELD, "token_type_hint": STRING_FIELD, **CLIENT_FIELDS}
_BODY = {
    "required": True,
    "content": {
        FORM_MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["token"],
                "additionalProperties": {"type": "string"},
                "properties": _FIELDS,
            },
            "examples": {
                "secret": {
                    "value": {
                        "token": "eyJ.example.token",
                        "client_id": "c-6f6f6f6f-0000-4000-8000-000000000001",
                        "client_secret": "nss_example",  # nosec B105 - an example
                    }
                }
            },
        }
    },
}


class TokenStatus(BaseModel, frozen=True):
    """Whether a token is accepted now, and what it allows (RFC 7662, section 2.2)."""

    active: bool
    scope: str | None = None
    client_id: str | None = None
    sub: str | None = None
    iss: str | None = None
    aud: str | None = None
    exp: int | None = None
    token_type: str | None = None


@router.post(
    client_authentication.INTROSPECTION_PATH,
    operation_id="introspect_token",
    response_model=TokenStatus,
    response_model_exclude_none=True,
    responses=OAUTH_RESPONSES,
    openapi_extra={"requestBody": _BODY},
    summary="Introspect an access token",
)
async def introspect_token(request: Request) -> Response:
    """Returns whether a token of the client's organisation is accepted now, and its scopes."""
    try:
        form = await client_authentication.read_token_form(request)
        return await run_in_threadpool(_introspect, request, form)
    except Problem as problem:
        return respond_to_problem(request, problem)


@router.post(
    client_authentication.REVOCATION_PATH,
    operation_id="revoke_token",
    response_class=Response,
    responses=OAUTH_RESPONSES,
    openapi_extra={"requestBody": _BODY},
    summary="Revoke an access token",
)
async def revoke_token(request: Request) -> Response:
    """Revokes a token of the client itself, from the next request. Other tokens stay as they
    are.
    """
    try:
        form = await client_authentication.read_token_form(request)
        return await run_in_threadpool(_revoke, request, form)
    except Problem as problem:
        return respond_to_problem(request, problem)


def _introspect(request: Request, form: dict[str, str]) -> Response:
    def read_status(work: Transaction, caller: Caller) -> TokenStatus:
        work.audit("read", "token")
        principal = _verify(request, form["token"])
        if principal is None or principal.organisation != caller.organisation:
            return TokenStatus(active=False)
        services = find_services(request)
        holder = callers.resolve_principal(services.store, principal)
        if holder is None:
            return TokenStatus(active=False)
        return TokenStatus(
            active=True,
            scope=" ".join([*sorted(holder.scopes), *sorted(holder.fhir_scopes)]),
            client_id=principal.client,
            sub=principal.client,
            iss=services.settings.issuer,
            aud=services.settings.audience,
            exp=principal.expires_at,
            token_type="Bearer",  # noqa: S106 - the value of RFC 6750 # nosec B106
        )

    status = sign_in_client(request, form, read_status)
    headers = {"Cache-Control": "no-store"}
    return JSONResponse(status.model_dump(exclude_none=True), headers=headers)


def _revoke(request: Request, form: dict[str, str]) -> Response:
    def revoke(work: Transaction, caller: Caller) -> None:
        principal = _verify(request, form["token"])
        is_own = principal is not None and principal.client == caller.client
        if principal is not None and is_own:
            callers.revoke_token(work, principal)
        work.audit("revoke", "token", caller.client, count=int(is_own))

    sign_in_client(request, form, revoke)
    return Response(status_code=200, headers={"Cache-Control": "no-store"})


def _verify(request: Request, token: str) -> Principal | None:
    """Return the principal of a token of this service that has not expired; otherwise None."""
    try:
        return find_services(request).access_tokens.verify(token)
    except InvalidTokenError:
        return None
