"""Verifies client assertions: tokens that clients sign to authenticate (RFC 7523, SMART).

The caller must store each `jti` until `expires_at` and refuse repetitions.

    InvalidAssertionError    the client must act; the reason is not disclosed
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import NamedTuple

from api.security.claims import NAME, SKEW_SECONDS
from api.security.jws import Opened, opened
from api.security.keys import EC_CURVES, RSA_ALGORITHMS
from api.security.signatures import Expected, RefusedTokenError, VerifyingKey, verified

LIFE_SECONDS = 300
_MAX_LIFETIME_SECONDS = LIFE_SECONDS + SKEW_SECONDS


class InvalidAssertionError(ValueError):
    """The assertion is refused; the reason is not disclosed."""

    def __init__(self) -> None:
        super().__init__("the client assertion is refused")


class Assertion(NamedTuple):
    """A verified assertion: the client, the token id and the expiry."""

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
    """Verify an assertion with the key that `find` returns for a client and `kid`.

    `key_set` returns the client's registered JWKS URL, if any. Raises InvalidAssertionError for any
    defect. Errors of `find` are passed on.
    """
    unverified = _decode_or_none(text)
    client = _find_client(unverified)
    audience = unverified.claims.get("aud") if unverified else None
    if client is None or not isinstance(audience, str) or audience not in frozenset(audiences):
        raise InvalidAssertionError
    expected = Expected(
        algorithms=(*EC_CURVES, *RSA_ALGORITHMS),
        types=("JWT", None),
        issuer=client,
        audience=audience,
        required=frozenset(("iss", "sub", "aud", "exp", "jti")),
        others=True,
        life_seconds=_MAX_LIFETIME_SECONDS,
        ahead_seconds=_MAX_LIFETIME_SECONDS,
        key_set=key_set(client),
    )
    try:
        claims = verified(text, find=partial(find, client), expected=expected)
    except RefusedTokenError:
        raise InvalidAssertionError from None
    return Assertion(client, claims["jti"], claims["exp"])


def claimed_client(text: str) -> str | None:
    """Return the client that an unverified assertion names: for audit and rate limits only."""
    return _find_client(_decode_or_none(text))


def _decode_or_none(text: str) -> Opened | None:
    try:
        return opened(text)
    except ValueError:
        return None


def _find_client(unverified: Opened | None) -> str | None:
    """Return the client id if issuer and subject are the same valid name."""
    if unverified is None:
        return None
    client = unverified.claims.get("iss")
    if not isinstance(client, str) or not NAME.fullmatch(client):
        return None
    return client if unverified.claims.get("sub") == client else None
