"""Proving: a sign-in's form in, the client that proved itself out; by secret or signed assertion.

Whoever does not prove itself is told so in one way, whatever was wrong.
"""

import base64
import binascii
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from fastapi import Request

from api.auth.jwks_cache import KeySets, Source
from api.http.request_body import take_form
from api.problems import Problem
from api.security import smart_scopes
from api.security.client_assertions import (
    Assertion,
    InvalidAssertionError,
    claimed_client,
    verify_assertion,
)
from api.security.scopes import known
from api.security.signatures import VerifyingKey, claimed_algorithm
from api.settings import Settings
from api.store.accounts import callers
from api.store.accounts.callers import Caller
from api.store.store import Store

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_PATH = "/v1/oauth/token"  # noqa: S105 - an address # nosec B105


class Proved(NamedTuple):
    """A client that proved itself, and the assertion that must not be used again."""

    caller: Caller
    assertion: Assertion | None


async def read_form(request: Request) -> dict[str, str]:
    """The form, each field once. Raises Problem."""
    pairs = await take_form(request)
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Problem("malformed_request", "A field must not be given twice.")
    if "grant_type" not in form:
        raise Problem("malformed_request", "`grant_type` is required.")
    if form["grant_type"] != "client_credentials":
        raise Problem("unknown_grant")
    return form


def proved_by(request: Request, form: dict[str, str]) -> Proved:
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
    return Proved(caller, None)


def _by_assertion(request: Request, form: dict[str, str]) -> Proved:
    store: Store = request.app.state.store
    settings: Settings = request.app.state.settings
    sets: KeySets = request.app.state.key_sets
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise _bad_client(request)
    try:
        assertion = verify_assertion(
            form["client_assertion"],
            audiences=(settings.public_url + TOKEN_PATH, settings.issuer),
            find=partial(_key, store, sets, claimed_algorithm(form["client_assertion"])),
            key_set=lambda client: (callers.key_set_of(store, client) or (None, None))[1],
        )
    except InvalidAssertionError:
        raise _bad_client(request) from None
    caller = callers.known(store, assertion.client)
    if caller is None or form.get("client_id", assertion.client) != assertion.client:
        raise _bad_client(request)
    return Proved(caller, assertion)


def _key(store: Store, sets: KeySets, algorithm: Any, client: str, kid: str) -> VerifyingKey | None:
    """The client's key of that name: the one that it registered, or one that it publishes.

    Raises Problem `unavailable` where what it publishes cannot be fetched.
    """
    registered = callers.client_key_of(store, client, kid)
    source = None if registered else callers.key_set_of(store, client)
    return sets.key(Source(*source), kid, algorithm) if source else registered


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


def granted_by(form: dict[str, str], caller: Caller) -> tuple[str, ...]:
    """What is asked for and allowed; everything allowed where nothing is asked for."""
    asked = form.get("scope", "").split() or caller.scopes
    fhir = [each for each in asked if smart_scopes.is_smart(each)]
    try:
        granted = [each for each in known(set(asked) - set(fhir)) if each in caller.scopes]
        granted += smart_scopes.granted(fhir, caller.scopes)
    except ValueError:
        raise Problem("unknown_scope") from None
    if not granted:
        raise Problem("unknown_scope")
    return tuple(granted)


def client_named(request: Request, form: dict[str, str]) -> str | None:
    """The client that the request names, unproved: for limits and the audit alone."""
    if "client_assertion" in form:
        return claimed_client(form["client_assertion"])
    try:
        basic = _basic(request)
    except Problem:
        return None
    return (basic[0] if basic else form.get("client_id", ""))[:100] or None


def _bad_client(request: Request) -> Problem:
    """401 with the way that was tried, as RFC 6749 asks."""
    basic = "authorization" in request.headers
    return Problem("bad_client", headers={"WWW-Authenticate": "Basic"} if basic else {})
