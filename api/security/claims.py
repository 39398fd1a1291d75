"""Checks the claims of a token after its signature."""

import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

CLOCK_SKEW_SECONDS = 30
NAME_PATTERN = re.compile(r"[A-Za-z0-9._:-]{1,100}")
PRINTABLE_PATTERN = re.compile(r"[!-~]{1,200}")
_TIME_CLAIMS = ("iat", "nbf", "exp")


class TokenFaultError(ValueError):
    """Why a token is refused, in one word: for the operator's log and audit, never for the sender.

    The words: `malformed`, `header`, `algorithm`, `key_unknown`, `signature`, `claims`, `issuer`,
    `audience`, `expired`, `lifetime`, `not_yet_valid`, `replayed`, `client_unknown`, `secret`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ExpectedToken(NamedTuple):
    """Requirements for one kind of token. A type of None means a header without `typ`.

    `jwks_url`: the URL that a `jku` header must equal; it is never fetched. `allow_other_headers`:
    headers that are not understood are ignored, and `typ` is compared without regard to case, as in
    RFC 7515. `allow_audience_list`: the audience may be a list of one.
    `accompanies_access_token`: the token may carry the hash (`at_hash`) of an access token, which
    is not checked.
    """

    algorithms: tuple[str, ...]
    types: tuple[str | None, ...]
    issuer: str
    audience: str
    required_claims: frozenset[str]
    allow_other_claims: bool
    max_lifetime_seconds: int
    max_expiry_seconds: int
    jwks_url: str | None = None
    allow_other_headers: bool = False
    allow_audience_list: bool = False
    subject_pattern: re.Pattern[str] = NAME_PATTERN
    accompanies_access_token: bool = False


def check_claims(claims: Mapping[str, Any], expected: ExpectedToken) -> None:
    """Raise TokenFaultError if the claims do not meet the requirements now."""
    if not expected.required_claims <= claims.keys():
        raise TokenFaultError("claims")
    if not (expected.allow_other_claims or claims.keys() == expected.required_claims):
        raise TokenFaultError("claims")
    audiences = (expected.audience, [expected.audience]) if expected.allow_audience_list else ()
    if claims["iss"] != expected.issuer:
        raise TokenFaultError("issuer")
    if claims["aud"] not in (expected.audience, *audiences):
        raise TokenFaultError("audience")
    for name, pattern in (("sub", expected.subject_pattern), ("jti", PRINTABLE_PATTERN)):
        value = claims.get(name)
        if name in claims and not (isinstance(value, str) and pattern.fullmatch(value)):
            raise TokenFaultError("claims")
    _check_times(claims, expected)


def _check_times(claims: Mapping[str, Any], expected: ExpectedToken) -> None:
    """Check times. `exp` gets no clock skew, so that a `jti` need not be stored beyond it."""
    now = time.time()
    if any(type(claims[name]) is not int for name in _TIME_CLAIMS if name in claims):
        raise TokenFaultError("claims")
    expires_at = claims["exp"]
    issued_at = claims.get("iat", expires_at - expected.max_lifetime_seconds)
    if now >= expires_at:
        raise TokenFaultError("expired")
    if expires_at > now + expected.max_expiry_seconds:
        raise TokenFaultError("lifetime")
    if not 0 < expires_at - issued_at <= expected.max_lifetime_seconds:
        raise TokenFaultError("lifetime")
    if max(issued_at, claims.get("nbf", 0)) > now + CLOCK_SKEW_SECONDS:
        raise TokenFaultError("not_yet_valid")
