"""Issues and verifies our access tokens, and publishes the public keys as a JWK set.

An access token is a JWT with `typ` at+jwt (RFC 9068). A client assertion has `typ` JWT or none, so
it is never accepted as an access token.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from api.problems import Problem
from api.security import smart_scopes
from api.security.claims import NAME, SKEW_SECONDS
from api.security.keys import EC_CURVES
from api.security.scopes import known
from api.security.signatures import (
    Expected,
    RefusedTokenError,
    SigningKey,
    VerifyingKey,
    claimed_kid,
    proved,
    signed,
)

TYPE = "at+jwt"
LONGEST_LIFE_SECONDS = 15 * 60
REMEMBERED = 1024
_REQUIRED_CLAIMS = frozenset(
    ("iss", "aud", "sub", "client_id", "organisation", "scope", "iat", "nbf", "exp", "jti")
)


class Principal(NamedTuple):
    """An authenticated client, its organisation and its permissions."""

    client: str
    organisation: str
    scopes: frozenset[str]
    expires_at: int
    means: Literal["token", "api_key"]
    fhir: frozenset[str] = frozenset()


class AccessTokens:
    """Tokens of one issuer for one audience. `find` returns the trusted key of a `kid`."""

    def __init__(
        self, issuer: str, audience: str, find: Callable[[str], VerifyingKey | None]
    ) -> None:
        self._expected = Expected(
            algorithms=tuple(EC_CURVES),
            types=(TYPE,),
            issuer=issuer,
            audience=audience,
            required=_REQUIRED_CLAIMS,
            others=False,
            life_seconds=LONGEST_LIFE_SECONDS,
            ahead_seconds=LONGEST_LIFE_SECONDS + SKEW_SECONDS,
        )
        self._find = find
        self._verify_cached = lru_cache(maxsize=REMEMBERED)(self._verify_with_key)

    def sign(
        self,
        key: SigningKey,
        *,
        client: str,
        organisation: str,
        scopes: Iterable[str],
        life_seconds: int = 300,
    ) -> str:
        """Issue a token. Raises ValueError for an invalid name, scope or lifetime."""
        if not 0 < life_seconds <= LONGEST_LIFE_SECONDS:
            raise ValueError("life: expected 1 to 900 seconds")
        if not (NAME.fullmatch(client) and NAME.fullmatch(organisation)):
            raise ValueError("client, organisation: expected 1 to 100 plain characters")
        requested = tuple(scopes)
        smart_requested = tuple(scope for scope in requested if smart_scopes.grants(scope))
        granted = (*known(set(requested) - set(smart_requested)), *dict.fromkeys(smart_requested))
        if not granted:
            raise ValueError("scopes: expected at least one")
        now = int(time.time())
        claims = {
            "iss": self._expected.issuer,
            "aud": self._expected.audience,
            "sub": client,
            "client_id": client,
            "organisation": organisation,
            "scope": " ".join(granted),
            "iat": now,
            "nbf": now,
            "exp": now + life_seconds,
            "jti": secrets.token_urlsafe(16),
        }
        return signed(claims, key, TYPE)

    def verify(self, token: str) -> Principal:
        """Verify a token and return its client. Raises Problem `bad_token` for any defect.

        The key is looked up on every call, so that a revoked key takes effect at once. Errors of
        `find` are passed on.
        """
        try:
            kid = claimed_kid(token)
        except RefusedTokenError:
            raise _bad_token() from None
        key = self._find(kid)
        try:
            principal = self._verify_cached(token, key)
        except RefusedTokenError:
            raise _bad_token() from None
        if principal.expires_at <= time.time():
            raise _bad_token()
        return principal

    def _verify_with_key(self, token: str, key: VerifyingKey | None) -> Principal:
        return _to_principal(proved(token, key, self._expected))


def jwks(keys: Iterable[SigningKey]) -> dict[str, list[dict[str, str]]]:
    """Return the public keys as a JWK set."""
    return {"keys": [key.public_jwk() for key in keys]}


def _to_principal(claims: Mapping[str, Any]) -> Principal:
    client, organisation, scope = (claims[name] for name in ("sub", "organisation", "scope"))
    if client != claims["client_id"] or not isinstance(organisation, str):
        raise RefusedTokenError
    if not NAME.fullmatch(organisation) or claims["nbf"] < claims["iat"] - SKEW_SECONDS:
        raise RefusedTokenError
    if not isinstance(scope, str) or not NAME.fullmatch(claims["jti"]):
        raise RefusedTokenError
    scopes, fhir = _parse_scopes(scope)
    return Principal(client, organisation, scopes, claims["exp"], "token", fhir)


def _parse_scopes(scope: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return our scopes and the SMART permissions; they must be unique, ours first and in order."""
    words = scope.split(" ")
    smart_granted = list(dict.fromkeys(word for word in words if smart_scopes.grants(word)))
    try:
        scopes = known(set(words) - set(smart_granted))
    except ValueError:
        raise RefusedTokenError from None
    if [*scopes, *smart_granted] != words:
        raise RefusedTokenError
    return frozenset(scopes), frozenset[str]().union(*map(smart_scopes.grants, smart_granted))


def _bad_token() -> Problem:
    return Problem("bad_token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
