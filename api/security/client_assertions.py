"""Assertions: tokens that a client signs with its own key to sign in (RFC 7523, SMART).

What is proved here is one client, once: whoever asks must remember `jti` until `expires_at`.

    InvalidAssertionError    the client must act; why is not told
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import NamedTuple

from api.security.claims import NAME, SKEW_SECONDS
from api.security.jws import Opened, opened
from api.security.keys import EC_CURVES, RSA_ALGORITHMS
from api.security.signatures import Expected, RefusedTokenError, VerifyingKey, verified

LIFE_SECONDS = 300
_LONGEST_SECONDS = LIFE_SECONDS + SKEW_SECONDS


class InvalidAssertionError(ValueError):
    """The assertion is refused, whatever is wrong with it."""

    def __init__(self) -> None:
        super().__init__("the client assertion is refused")


class Assertion(NamedTuple):
    """A client that proved to hold its key."""

    client: str
    jti: str
    expires_at: int


def verify_assertion(
    text: str,
    *,
    audiences: Collection[str],
    find: Callable[[str, str], VerifyingKey | None],
    key_set: Callable[[str], str | None] = lambda _: None,
) -> Assertion:
    """The client that the assertion proves, by the key that `find` gives for client and `kid`.

    `key_set` gives the address where the client publishes its keys, if it registered one.

    Raises InvalidAssertionError, whatever is wrong with it. What `find` raises is passed on.
    """
    unproved = _opened(text)
    client = _client(unproved)
    audience = unproved.claims.get("aud") if unproved else None
    if client is None or not isinstance(audience, str) or audience not in frozenset(audiences):
        raise InvalidAssertionError
    expected = Expected(
        algorithms=(*EC_CURVES, *RSA_ALGORITHMS),
        types=("JWT", None),
        issuer=client,
        audience=audience,
        required=frozenset(("iss", "sub", "aud", "exp", "jti")),
        others=True,
        life_seconds=_LONGEST_SECONDS,
        ahead_seconds=_LONGEST_SECONDS,
        key_set=key_set(client),
    )
    try:
        claims = verified(text, find=partial(find, client), expected=expected)
    except RefusedTokenError:
        raise InvalidAssertionError from None
    return Assertion(client, claims["jti"], claims["exp"])


def claimed_client(text: str) -> str | None:
    """The client that the assertion names, unproved: for audit and rate limits, never for trust."""
    return _client(_opened(text))


def _opened(text: str) -> Opened | None:
    try:
        return opened(text)
    except ValueError:
        return None


def _client(unproved: Opened | None) -> str | None:
    """The name that is both issuer and subject."""
    if unproved is None:
        return None
    client = unproved.claims.get("iss")
    if not isinstance(client, str) or not NAME.fullmatch(client):
        return None
    return client if unproved.claims.get("sub") == client else None
