"""Verifies client assertions: tokens that clients sign to authenticate (RFC 7523, SMART).

The caller must store each `jti` until `expires_at` and refuse repetitions.

    InvalidAssertionError    the client must act; the reason is not disclosed
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import NamedTuple

from api.security.claims import CLOCK_SKEW_SECONDS, NAME_PATTERN, ExpectedToken
from api.security.jws import UnverifiedToken, decode_unverified
from api.security.keys import EC_CURVES, RSA_ALGORITHMS, VerifyingKey
from api.security.signatures import InvalidTokenError, verify_token

ASSERTION_LIFETIME_SECONDS = 300
_MAX_LIFETIME_SECONDS = ASSERTION_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS


class InvalidAssertionError(ValueError):
    """The assertion is refused; the reason is for the operator and is not disclosed."""

    def __init__(self, reason: str = "malformed") -> None:
        super().__init__("the client assertion is refused")
        self.reason = reason


class VerifiedAssertion(NamedTuple):
    """A verified assertion: the client, the token id and the expiry."""

    client: str
    jti: str
    expires_at: int


def verify_assertion(
    text: str,
    *,
    audiences: Collection[str],
    find_key: Callable[[str, str], VerifyingKey | None],
    find_jwks_url: Callable[[str], str | None] = lambda _: None,
) -> VerifiedAssertion:
    """Verify an assertion with the key that `find_key` returns for a client and `kid`.

    `find_jwks_url` returns the client's registered JWKS URL, if any. Raises
    InvalidAssertionError for any defect. Errors of `find_key` are passed on.
    """
    unverified = _decode_or_none(text)
    client = _find_client(unverified)
    audience = unverified.claims.get("aud") if unverified else None
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if client is None:
        raise InvalidAssertionError
    if not isinstance(audience, str) or audience not in frozenset(audiences):
        raise InvalidAssertionError("audience")
    expected = ExpectedToken(
        algorithms=(*EC_CURVES, *RSA_ALGORITHMS),
        types=("JWT", None),
        issuer=client,
        audience=audience,
        required_claims=frozenset(("iss", "sub", "aud", "exp", "jti")),
        allow_other_claims=True,
        max_lifetime_seconds=_MAX_LIFETIME_SECONDS,
        max_expiry_seconds=_MAX_LIFETIME_SECONDS,
        jwks_url=find_jwks_url(client),
        allow_other_headers=True,
        allow_audience_list=True,
    )
    try:
        claims = verify_token(text, find_key=partial(find_key, client), expected=expected)
    except InvalidTokenError as error:
        raise InvalidAssertionError(error.reason) from None
    return VerifiedAssertion(client, claims["jti"], claims["exp"])


def read_claimed_client(text: str) -> str | None:
    """Return the client that an unverified assertion names: for audit and rate limits only."""
    return _find_client(_decode_or_none(text))


def _decode_or_none(text: str) -> UnverifiedToken | None:
    try:
        return decode_unverified(text)
    except ValueError:
        return None


def _find_client(unverified: UnverifiedToken | None) -> str | None:
    if unverified is None:
        return None
    client = unverified.claims.get("iss")
    if not isinstance(client, str) or not NAME_PATTERN.fullmatch(client):
        return None
    return client if unverified.claims.get("sub") == client else None
