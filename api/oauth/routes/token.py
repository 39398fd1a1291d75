"""The token endpoint: OAuth 2 client credentials, and the public signing keys.

A client authenticates with a secret (RFC 6749, in the header or the form) or a signed assertion
(`private_key_jwt`, RFC 7523). Errors are problems with the members of OAuth added.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.auth import client_authentication
from api.auth.services import find_services
from api.http.bodies.request_body import FORM_MEDIA_TYPE
from api.http.errors.error_responses import error_responses
from api.oauth.client_sign_in import (
    CLIENT_FIELDS,
    OAUTH_RESPONSES,
    STRING_FIELD,
    respond_to_problem,
    sign_in_client,
)
from api.problems import Problem
from api.security.tokens.access_tokens import build_jwks
from api.store.accounts.callers import Caller
from api.store.transaction import Transaction

router = APIRouter(tags=["authentication"])
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
                    "scope": STRING_FIELD,
                    **CLIENT_FIELDS,
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


class PublishedJwks(BaseModel, frozen=True):
    """The public keys of the access tokens, as a JWK set."""

    keys: list[dict[str, str]]


@router.post(
    client_authentication.TOKEN_PATH,
    operation_id="create_token",
    response_model=AccessToken,
    responses=OAUTH_RESPONSES,
    openapi_extra={"requestBody": _BODY},
    summary="Get an access token",
)
async def create_token(request: Request) -> Response:
    """Returns a token to a client that authenticates with its secret or a signed assertion."""
    try:
        form = await client_authentication.read_token_request(request)
        return await run_in_threadpool(_issue_token, request, form)
    except Problem as problem:
        return respond_to_problem(request, problem)


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
    settings = services.settings

    def grant_scopes(work: Transaction, caller: Caller) -> tuple[Caller, tuple[str, ...]]:
        granted_scopes = client_authentication.select_granted_scopes(form, caller)
        work.audit("sign_in", "client", caller.client)
        return caller, granted_scopes

    caller, granted_scopes = sign_in_client(request, form, grant_scopes)
    tokens = services.access_tokens
    token = tokens.issue(
        services.store.signing_keys.find_current_key(),
        client=caller.client,
        organisation=caller.organisation,
        scopes=granted_scopes,
        lifetime_seconds=settings.token_seconds,
    )
    body = AccessToken(
        access_token=token, expires_in=settings.token_seconds, scope=" ".join(granted_scopes)
    )
    return JSONResponse(body.model_dump(), headers={"Cache-Control": "no-store"})
