"""Checks the claims of a token after its signature."""

import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

SKEW_SECONDS = 30
NAME = re.compile(r"[A-Za-z0-9._:-]{1,100}")
PLAIN = re.compile(r"[!-~]{1,200}")
_TIME_CLAIMS = ("iat", "nbf", "exp")


class Expected(NamedTuple):
    """Requirements for one kind of token. A type of None means a header without `typ`.

    `beside_access_token`: the token may carry the hash (`at_hash`) of an access token, which is not
    checked. `key_set`: the URL that a `jku` header must equal; it is never fetched. `ignored`:
    headers that are accepted and ignored. `listed`: the audience may be a list of one.
    """

    algorithms: tuple[str, ...]
    types: tuple[str | None, ...]
    issuer: str
    audience: str
    required: frozenset[str]
    others: bool
    life_seconds: int
    ahead_seconds: int
    key_set: str | None = None
    ignored: frozenset[str] = frozenset()
    listed: bool = False
    subject: re.Pattern[str] = NAME
    beside_access_token: bool = False


def check(claims: Mapping[str, Any], expected: Expected) -> None:
    """Raise ValueError if the claims do not meet the requirements now."""
    if not expected.required <= claims.keys():
        raise ValueError("claims are missing")
    if not (expected.others or claims.keys() == expected.required):
        raise ValueError("there are other claims")
    audiences = (expected.audience, [expected.audience]) if expected.listed else ()
    if claims["iss"] != expected.issuer or claims["aud"] not in (expected.audience, *audiences):
        raise ValueError("issuer or audience")
    for name, pattern in (("sub", expected.subject), ("jti", PLAIN)):
        if name in claims and not _is_text_matching(pattern, claims[name]):
            raise ValueError("sub or jti")
    _check_times(claims, expected)


def _is_text_matching(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _check_times(claims: Mapping[str, Any], expected: Expected) -> None:
    """Check times. `exp` gets no clock skew, so that a `jti` need not be stored beyond it."""
    now = time.time()
    if any(type(claims[name]) is not int for name in _TIME_CLAIMS if name in claims):
        raise ValueError("times are whole numbers")
    expires_at = claims["exp"]
    issued_at = claims.get("iat", expires_at - expected.life_seconds)
    if not now < expires_at <= now + expected.ahead_seconds:
        raise ValueError("expired, or too far ahead")
    if not 0 < expires_at - issued_at <= expected.life_seconds:
        raise ValueError("it lives too long")
    if max(issued_at, claims.get("nbf", 0)) > now + SKEW_SECONDS:
        raise ValueError("it is not valid yet")
