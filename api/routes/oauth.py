"""Signing in: a client proves itself and gets an access token (OAuth 2 client credentials).

By a secret (RFC 6749, in the header or the form) or by a signed assertion (`private_key_jwt`, RFC
7523). What is refused is told as OAuth tells it, in the shape of every other problem.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from api.deps import peer_of, read_body, refusals, stranger
from api.problems import Problem, ProblemBody
from api.security.access import AccessTokens, jwks
from api.security.assertions import (
    Assertion,
    InvalidAssertionError,
    claimed_client,
    verify_assertion,
)
from api.security.claims import SKEW_SECONDS
from api.security.scopes import known
from api.settings import Settings
from api.store import callers
from api.store.callers import Caller
from api.store.refusals import Refusals
from api.store.store import Store
from api.store.transaction import Actor

FORM = "application/x-www-form-urlencoded"
FORM_BYTES = 16 * 1024
FORM_FIELDS = 20
FAILURES_PER_MINUTE = 60
FAILURES_OF_A_PEER = 600
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_PATH = "/v1/oauth/token"  # noqa: S105 - an address # nosec B105
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


class _Proved(NamedTuple):
    caller: Caller
    assertion: Assertion | None


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
        form = await _form(request)
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
    named = _named(request, form)
    try:
        _bound_failures(request, named, state.limiter.check)
        proved = _proved(request, form)
        granted = _granted(form, proved.caller)
        with store.transaction(_actor(request, proved.caller)) as work:
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


async def _form(request: Request) -> dict[str, str]:
    """The form, each field once. Raises Problem."""
    kinds = request.headers.getlist("content-type")
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != FORM:
        raise Problem("unsupported_media_type", f"Send `{FORM}`.")
    body = await read_body(request, FORM_BYTES)
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            encoding="utf-8",
            errors="strict",
            max_num_fields=FORM_FIELDS,
        )
    except ValueError:
        raise Problem("malformed_request", "The form cannot be read.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Problem("malformed_request", "A field must not be given twice.")
    if "grant_type" not in form:
        raise Problem("malformed_request", "`grant_type` is required.")
    if form["grant_type"] != "client_credentials":
        raise Problem("unknown_grant")
    return form


def _proved(request: Request, form: dict[str, str]) -> _Proved:
    """The client that proves itself, in one way and no other. Raises Problem `bad_client`."""
    store: Store = request.app.state.store
    basic = _basic(request)
    ways = [basic is not None, "client_secret" in form, "client_assertion" in form]
    if ways.count(True) != 1:
        raise _bad_client(request)
    if "client_assertion" in form:
        return _by_assertion(request, form)
    client, secret = basic or (form.get("client_id", ""), form["client_secret"])
    if basic and form.get("client_id", client) != client:
        raise _bad_client(request)
    caller = callers.by_secret(store, client, secret)
    if caller is None:
        raise _bad_client(request)
    return _Proved(caller, None)


def _by_assertion(request: Request, form: dict[str, str]) -> _Proved:
    store: Store = request.app.state.store
    settings: Settings = request.app.state.settings
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise _bad_client(request)
    try:
        assertion = verify_assertion(
            form["client_assertion"],
            audiences=(settings.public_url + TOKEN_PATH, settings.issuer),
            find=lambda client, kid: callers.client_key_of(store, client, kid),
        )
    except InvalidAssertionError:
        raise _bad_client(request) from None
    caller = callers.known(store, assertion.client)
    if caller is None or form.get("client_id", assertion.client) != assertion.client:
        raise _bad_client(request)
    return _Proved(caller, assertion)


def _basic(request: Request) -> tuple[str, str] | None:
    """Client and secret from the header. Raises Problem `bad_client` where it cannot be read."""
    given = request.headers.getlist("authorization")
    if not given:
        return None
    kind, _, text = given[0].partition(" ")
    if len(given) > 1 or kind.lower() != "basic":
        raise _bad_client(request)
    try:
        pair = base64.b64decode(text.strip(" "), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise _bad_client(request) from None
    client, _, secret = pair.partition(":")
    return unquote_plus(client), unquote_plus(secret)


def _granted(form: dict[str, str], caller: Caller) -> tuple[str, ...]:
    """What is asked for and allowed; everything allowed where nothing is asked for."""
    asked = form.get("scope", "").split() or caller.scopes
    try:
        granted = [each for each in known(asked) if each in caller.scopes]
    except ValueError:
        raise Problem("unknown_scope") from None
    if not granted:
        raise Problem("unknown_scope")
    return tuple(granted)


def _named(request: Request, form: dict[str, str]) -> str | None:
    """The client that the request names, unproved: for limits and the audit alone."""
    if "client_assertion" in form:
        return claimed_client(form["client_assertion"])
    try:
        basic = _basic(request)
    except Problem:
        return None
    return (basic[0] if basic else form.get("client_id", ""))[:100] or None


def _record(request: Request, named: str | None, code: str) -> None:
    """Leave a row in the chain of the client that was named, where there is one."""
    store: Store = request.app.state.store
    held: Refusals = request.app.state.refusals
    caller = callers.known(store, named) if named else None
    held.record(_actor(request, caller), code)


def _actor(request: Request, caller: Caller | None) -> Actor:
    known_actor = stranger(request)
    if caller is None:
        return known_actor
    return known_actor._replace(organisation=caller.organisation, id=caller.client, means="token")


def _bad_client(request: Request) -> Problem:
    """401 with the way that was tried, as RFC 6749 asks."""
    basic = "authorization" in request.headers
    return Problem("bad_client", headers={"WWW-Authenticate": "Basic"} if basic else {})


def _refusal(refused: Problem) -> JSONResponse:
    """As OAuth clients read it, with the members of every problem beside."""
    body = refused.body().model_dump(exclude_none=True)
    told = {"error": _OAUTH[refused.code], "error_description": refused.detail}
    headers = refused.headers | {"Cache-Control": "no-store"}
    return JSONResponse(told | body, status_code=refused.kind.status, headers=headers)
