"""Authenticates a client at the token endpoint by its secret or a signed assertion.

Every authentication failure returns the same error.
"""

import base64
import binascii
from functools import partial
from typing import Any
from urllib.parse import unquote_plus

from fastapi import Request

from api.auth.jwks_cache import JwksCache, JwksSource
from api.auth.services import find_services
from api.http.bodies.request_body import read_form_fields
from api.problems import Problem
from api.security import smart_scopes
from api.security.keys import VerifyingKey
from api.security.scopes import sort_known_scopes
from api.security.signatures import read_claimed_algorithm
from api.security.tokens.client_assertions import (
    InvalidAssertionError,
    VerifiedAssertion,
    read_claimed_client,
    verify_assertion,
)
from api.store.accounts import callers
from api.store.accounts.callers import Caller
from api.store.store import Store

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
AuthenticatedClient = tuple[Caller, VerifiedAssertion | None]
"""A client, and its assertion if it sent one, which may be used once only."""
TOKEN_PATH = "/v1/oauth/token"  # noqa: S105 - an address # nosec B105
INTROSPECTION_PATH = "/v1/oauth/introspect"
REVOCATION_PATH = "/v1/oauth/revoke"


class InvalidClientProblem(Problem):
    """The client did not authenticate, for a reason that only the operator learns."""

    def __init__(self, reason: str, headers: dict[str, str]) -> None:
        super().__init__("invalid_client", headers=headers)
        self.reason = reason


async def read_token_request(request: Request) -> dict[str, str]:
    """Return the fields of the form. Raises Problem if one is repeated or the grant is unknown."""
    form = await _read_form(request)
    if "grant_type" not in form:
        raise Problem("malformed_request", "`grant_type` is required.")
    if form["grant_type"] != "client_credentials":
        raise Problem("unsupported_grant_type")
    return form


async def read_token_form(request: Request) -> dict[str, str]:
    """Return the fields of a form about a token. Raises Problem for a repeated or missing one."""
    form = await _read_form(request)
    if "token" not in form:
        raise Problem("malformed_request", "`token` is required.")
    return form


def authenticate_client(request: Request, form: dict[str, str]) -> AuthenticatedClient:
    """Authenticate the client by exactly one method. Raises Problem `invalid_client`."""
    store = find_services(request).store
    basic = _read_basic_credentials(request)
    methods = [basic is not None, "client_secret" in form, "client_assertion" in form]
    if methods.count(True) != 1:
        raise build_client_problem(request, "method")
    if "client_assertion" in form:
        return _authenticate_by_assertion(request, form)
    client, secret = basic or (form.get("client_id", ""), form["client_secret"])
    if basic and form.get("client_id", client) != client:
        raise build_client_problem(request, "client_unknown")
    caller = callers.authenticate_secret(store, client, secret)
    if caller is None:
        raise build_client_problem(request, "secret")
    return caller, None


async def _read_form(request: Request) -> dict[str, str]:
    pairs = await read_form_fields(request, find_services(request).settings)
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Problem("malformed_request", "A field must not be repeated.")
    return form


def _authenticate_by_assertion(request: Request, form: dict[str, str]) -> AuthenticatedClient:
    services = find_services(request)
    store, settings = services.store, services.settings
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise build_client_problem(request, "method")
    try:
        algorithm = read_claimed_algorithm(form["client_assertion"])
        assertion = verify_assertion(
            form["client_assertion"],
            audiences=(settings.public_url + TOKEN_PATH, settings.public_url, settings.issuer),
            find_key=partial(_find_key, store, services.jwks_cache, algorithm),
            find_jwks_url=lambda client: (callers.look_up_key_set(store, client) or ("", None))[1],
        )
    except InvalidAssertionError as error:
        raise build_client_problem(request, error.reason) from None
    caller = callers.look_up_client(store, assertion.client)
    if caller is None or form.get("client_id", assertion.client) != assertion.client:
        raise build_client_problem(request, "client_unknown")
    return caller, assertion


def _find_key(
    store: Store, key_sets: JwksCache, algorithm: Any, client: str, kid: str
) -> VerifyingKey | None:
    """Find a registered key, or one of the published set. Raises Problem `unavailable`."""
    registered = callers.look_up_client_key(store, client, kid)
    source = None if registered else callers.look_up_key_set(store, client)
    return key_sets.find_key(JwksSource(*source), kid, algorithm) if source else registered


def _read_basic_credentials(request: Request) -> tuple[str, str] | None:
    headers = request.headers.getlist("authorization")
    if not headers:
        return None
    auth_scheme, _, credentials = headers[0].partition(" ")
    if len(headers) > 1 or auth_scheme.lower() != "basic":
        raise build_client_problem(request, "method")
    try:
        pair = base64.b64decode(credentials.strip(" "), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise build_client_problem(request, "malformed") from None
    client, _, secret = pair.partition(":")
    return unquote_plus(client), unquote_plus(secret)


def select_granted_scopes(form: dict[str, str], caller: Caller) -> tuple[str, ...]:
    """Return the requested scopes that the caller has, or all. Raises Problem `invalid_scope`."""
    requested = form.get("scope", "").split() or caller.scopes
    fhir = [scope for scope in requested if smart_scopes.is_smart_scope(scope)]
    try:
        known_scopes = sort_known_scopes(set(requested) - set(fhir))
        granted_scopes = [scope for scope in known_scopes if scope in caller.scopes]
        granted_scopes += smart_scopes.grant_scopes(fhir, caller.scopes)
    except ValueError:
        raise Problem("invalid_scope") from None
    if not granted_scopes:
        raise Problem("invalid_scope")
    return tuple(granted_scopes)


def read_unverified_client_id(request: Request, form: dict[str, str]) -> str | None:
    """Return the client id in the request, unverified: only for rate limits and the audit."""
    if "client_assertion" in form:
        return read_claimed_client(form["client_assertion"])
    try:
        basic = _read_basic_credentials(request)
    except Problem:
        return None
    return (basic[0] if basic else form.get("client_id", ""))[:100] or None


def build_client_problem(request: Request, reason: str) -> InvalidClientProblem:
    """Build the 401 problem that names the attempted scheme (RFC 6749, 5.2)."""
    is_basic = "authorization" in request.headers
    return InvalidClientProblem(reason, {"WWW-Authenticate": "Basic"} if is_basic else {})
