"""The token endpoint: OAuth 2 client credentials, and the public signing keys.

A client authenticates with a secret (RFC 6749, in the header or the form) or a signed assertion
(`private_key_jwt`, RFC 7523). Errors are problems with the members of OAuth added.
"""

from typing import Literal

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.auth import client_authentication
from api.auth.admission import FAILED_TOKENS, FAILED_TOKENS_OF_CLIENT, count_for_network
from api.auth.route_guard import build_actor
from api.auth.services import find_services
from api.http.bodies.request_body import FORM_MEDIA_TYPE
from api.http.errors.error_conversion import CLIENT_ERRORS, convert_error
from api.http.errors.error_responses import error_responses
from api.problems import Problem, ProblemBody
from api.security.claims import CLOCK_SKEW_SECONDS
from api.security.tokens.access_tokens import build_jwks
from api.store.accounts import callers

_OAUTH_ERRORS = {
    "malformed_request": "invalid_request",
    **{code: code for code in ("invalid_client", "unsupported_grant_type", "invalid_scope")},
}
"""The error of RFC 6749, section 5.2, for each problem code of the token endpoint."""
_log = structlog.get_logger("nociscreen")
router = APIRouter(tags=["authentication"])
_STRING = {"type": "string", "maxLength": 8000}
_BODY = {
    "required": True,
    "content": {
        FORM_MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["grant_type"],
                "additionalProperties": {"type": "string"},
                "properties": {
                    "grant_type": {"type": "string", "enum": ["client_credentials"]},
                    "scope": _STRING,
                    "client_id": _STRING,
                    "client_secret": _STRING,
                    "client_assertion_type": {
                        "type": "string",
                        "enum": [client_authentication.ASSERTION_TYPE],
                    },
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


class AccessToken(BaseModel, frozen=True):
    """An access token with its lifetime in seconds and its scopes."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the value of RFC 6750
    expires_in: int
    scope: str


class OAuthProblem(ProblemBody):
    """A problem with the error members of OAuth (RFC 6749, section 5.2)."""

    error: Literal["invalid_client", "invalid_request", "unsupported_grant_type", "invalid_scope"]
    error_description: str


class PublishedJwks(BaseModel, frozen=True):
    """The public keys of the access tokens, as a JWK set."""

    keys: list[dict[str, str]]


@router.post(
    client_authentication.TOKEN_PATH,
    operation_id="create_token",
    response_model=AccessToken,
    responses={
        400: {"description": "Invalid OAuth request", "model": OAuthProblem},
        401: {"description": "Client authentication failed", "model": OAuthProblem},
        **error_responses(408, 413, 415, 429, 503),
    },
    openapi_extra={"requestBody": _BODY},
    summary="Get an access token",
)
async def create_token(request: Request) -> Response:
    """Returns a token to a client that authenticates with its secret or a signed assertion."""
    try:
        form = await client_authentication.read_token_request(request)
        return await run_in_threadpool(_issue_token, request, form)
    except Problem as problem:
        if problem.code not in _OAUTH_ERRORS:
            raise
        request.state.problem = problem.code
        return _oauth_error(problem)


@router.get(
    "/.well-known/jwks.json",
    operation_id="read_keys",
    response_model=PublishedJwks,
    responses=error_responses(503),
    summary="Read the public signing keys",
)
def read_keys(request: Request) -> Response:
    """Returns the JWK set. A new key is published before it signs tokens."""
    store = find_services(request).store
    headers = {"Cache-Control": "public, max-age=300"}
    return JSONResponse(build_jwks(store.signing_keys.list_published_keys()), headers=headers)


def _issue_token(request: Request, form: dict[str, str]) -> Response:
    services = find_services(request)
    store = services.store
    settings = services.settings
    client = client_authentication.read_unverified_client_id(request, form)
    try:
        caller, assertion = client_authentication.authenticate_client(request, form)
        granted_scopes = client_authentication.select_granted_scopes(form, caller)
        with store.transaction(build_actor(request, caller)) as work:
            if assertion and not callers.consume_assertion(work, assertion, CLOCK_SKEW_SECONDS):
                raise client_authentication.build_client_problem(request, "replayed")
            work.audit("sign_in", "client", caller.client)
    except CLIENT_ERRORS as error:
        if isinstance(error, client_authentication.InvalidClientProblem):
            _limit_failures(request, client)
        reason = getattr(error, "reason", "")
        _record_failure(request, client, convert_error(error).code, reason)
        raise
    tokens = services.access_tokens
    token = tokens.issue(
        store.signing_keys.find_current_key(),
        client=caller.client,
        organisation=caller.organisation,
        scopes=granted_scopes,
        lifetime_seconds=settings.token_seconds,
    )
    body = AccessToken(
        access_token=token, expires_in=settings.token_seconds, scope=" ".join(granted_scopes)
    )
    return JSONResponse(body.model_dump(), headers={"Cache-Control": "no-store"})


def _limit_failures(request: Request, client: str | None) -> None:
    """Count a failure for its network, and for the client from that network.

    Right credentials are never limited by the failures of others at the same address. Raises
    Problem `too_many`, recorded.
    """
    try:
        count_for_network(request, FAILED_TOKENS)
        count_for_network(request, FAILED_TOKENS_OF_CLIENT, client or "")
    except Problem as problem:
        _record_failure(request, client, problem.code)
        raise


def _record_failure(request: Request, client: str | None, code: str, reason: str = "") -> None:
    """Record the failure in the audit chain of the named client's organisation, if it exists.

    The reason is in the audit and the log, with the id of the request, and nowhere else.
    """
    store = find_services(request).store
    denied_requests = find_services(request).denied_requests
    caller = callers.look_up_client(store, client) if client else None
    actor = build_actor(request, caller)
    denied_requests.record(actor, code, reason=reason)
    _log.info(
        "token_denied", client=actor.id, code=code, reason=reason, request_id=actor.request_id
    )


def _oauth_error(problem: Problem) -> JSONResponse:
    body = problem.build_body().model_dump(exclude_none=True)
    oauth_members = {"error": _OAUTH_ERRORS[problem.code], "error_description": problem.detail}
    headers = problem.headers | {"Cache-Control": "no-store"}
    return JSONResponse(
        oauth_members | body, status_code=problem.definition.status, headers=headers
    )
