"""Signing in: a client proves itself and gets an access token (OAuth 2 client credentials).

By a secret (RFC 6749, in the header or the form) or by a signed assertion (`private_key_jwt`, RFC
7523). What is refused is told as OAuth tells it, in the shape of every other problem.
"""

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from api.auth.client_authentication import (
    ASSERTION_TYPE,
    TOKEN_PATH,
    client_named,
    granted_by,
    proved_by,
    read_form,
)
from api.auth.route_guard import actor_of
from api.dependencies import peer_of
from api.http.error_responses import refusals
from api.http.request_body import FORM
from api.problems import Problem, ProblemBody
from api.security.access_tokens import AccessTokens, jwks
from api.security.claims import SKEW_SECONDS
from api.settings import Settings
from api.store.accounts import callers
from api.store.operations.denied_requests import Refusals
from api.store.store import Store

FAILURES_PER_MINUTE = 60
FAILURES_OF_A_PEER = 600
_OAUTH = {
    "bad_client": "invalid_client",
    "malformed_request": "invalid_request",
    "unknown_grant": "unsupported_grant_type",
    "unknown_scope": "invalid_scope",
}
router = APIRouter(tags=["sign in"])
_STRING = {"type": "string", "maxLength": 8000}
_BODY = {
    "required": True,
    "content": {
        FORM: {
            "schema": {
                "type": "object",
                "required": ["grant_type"],
                "additionalProperties": {"type": "string"},
                "properties": {
                    "grant_type": {"type": "string", "enum": ["client_credentials"]},
                    "scope": _STRING,
                    "client_id": _STRING,
                    "client_secret": _STRING,
                    "client_assertion_type": {"type": "string", "enum": [ASSERTION_TYPE]},
                    "client_assertion": _STRING,
                },
            },
            "examples": {
                "secret": {
                    "value": {
                        "grant_type": "client_credentials",
                        "client_id": "c-6f6f6f6f-0000-4000-8000-000000000001",
                        "client_secret": "nss_example",  # nosec B105 - an example
                        "scope": "score screenings:write",
                    }
                }
            },
        }
    },
}


class AccessToken(BaseModel):
    """A token, how long it lives, and what it may do."""

    model_config = ConfigDict(frozen=True)

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the standard's word
    expires_in: int
    scope: str


class SignInRefused(ProblemBody):
    """A problem with the members that OAuth clients read (RFC 6749, section 5.2)."""

    error: Literal["invalid_client", "invalid_request", "unsupported_grant_type", "invalid_scope"]
    error_description: str


class PublishedKeys(BaseModel):
    """The keys that access tokens are signed with, as a JWK set."""

    model_config = ConfigDict(frozen=True)

    keys: list[dict[str, str]]


@router.post(
    TOKEN_PATH,
    operation_id="sign_in",
    response_model=AccessToken,
    responses={
        400: {"description": "Not as OAuth asks", "model": SignInRefused},
        401: {"description": "The client did not prove itself", "model": SignInRefused},
        **refusals(408, 413, 415, 429, 503),
    },
    openapi_extra={"requestBody": _BODY},
    summary="Get an access token",
)
async def sign_in(request: Request) -> Response:
    """For a client that proves itself by its secret, or by an assertion signed with its own key."""
    try:
        form = await read_form(request)
        return await run_in_threadpool(_signed_in, request, form)
    except Problem as refused:
        if refused.code not in _OAUTH:
            raise
        return _refusal(refused)


@router.get(
    "/.well-known/jwks.json",
    operation_id="read_keys",
    response_model=PublishedKeys,
    responses=refusals(503),
    summary="The keys that tokens are signed with",
)
def read_keys(request: Request) -> Response:
    """Public keys only. A new key stands here before it signs."""
    store: Store = request.app.state.store
    headers = {"Cache-Control": "public, max-age=300"}
    return JSONResponse(jwks(store.signing.published()), headers=headers)


def _signed_in(request: Request, form: dict[str, str]) -> Response:
    state = request.app.state
    store: Store = state.store
    settings: Settings = state.settings
    named = client_named(request, form)
    try:
        _bound_failures(request, named, state.limiter.check)
        proved = proved_by(request, form)
        granted = granted_by(form, proved.caller)
        with store.transaction(actor_of(request, proved.caller)) as work:
            if proved.assertion is not None:
                callers.use_assertion(work, proved.assertion, SKEW_SECONDS)
            work.audit("sign_in", "client", proved.caller.client)
    except Problem as refused:
        _record(request, named, refused.code)
        if refused.code == "bad_client":
            _bound_failures(request, named, state.limiter.take)
        raise
    tokens: AccessTokens = state.tokens
    token = tokens.sign(
        store.signing.current(),
        client=proved.caller.client,
        organisation=proved.caller.organisation,
        scopes=granted,
        life_seconds=settings.token_seconds,
    )
    body = AccessToken(
        access_token=token, expires_in=settings.token_seconds, scope=" ".join(granted)
    )
    return JSONResponse(body.model_dump(), headers={"Cache-Control": "no-store"})


def _bound_failures(request: Request, named: str | None, bound: Callable[[str, int], None]) -> None:
    """So many failures for one client from one address, and so many from one address."""
    peer = peer_of(request)
    bound(f"sign-in {peer}", FAILURES_OF_A_PEER)
    bound(f"sign-in {peer} {named}", FAILURES_PER_MINUTE)


def _record(request: Request, named: str | None, code: str) -> None:
    """Leave a row in the chain of the client that was named, where there is one."""
    store: Store = request.app.state.store
    held: Refusals = request.app.state.refusals
    caller = callers.known(store, named) if named else None
    held.record(actor_of(request, caller), code)


def _refusal(refused: Problem) -> JSONResponse:
    """As OAuth clients read it, with the members of every problem beside."""
    body = refused.body().model_dump(exclude_none=True)
    told = {"error": _OAUTH[refused.code], "error_description": refused.detail}
    headers = refused.headers | {"Cache-Control": "no-store"}
    return JSONResponse(told | body, status_code=refused.kind.status, headers=headers)
