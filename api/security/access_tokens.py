"""Access tokens: signed by us for a client, taken back from it, and the public keys as a JWKS.

A token is a JWT of `typ` at+jwt (RFC 9068). A client's assertion is of `typ` JWT or none, and so
never opens anything here.
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
_CLAIMS = frozenset(
    ("iss", "aud", "sub", "client_id", "organisation", "scope", "iat", "nbf", "exp", "jti")
)


class Principal(NamedTuple):
    """The client behind a call, whose it is, and what it may do."""

    client: str
    organisation: str
    scopes: frozenset[str]
    expires_at: int
    means: Literal["token", "api_key"]
    fhir: frozenset[str] = frozenset()


class AccessTokens:
    """Tokens of one issuer for one audience. `find` gives the key that is trusted under a `kid`."""

    def __init__(
        self, issuer: str, audience: str, find: Callable[[str], VerifyingKey | None]
    ) -> None:
        self._expected = Expected(
            algorithms=tuple(EC_CURVES),
            types=(TYPE,),
            issuer=issuer,
            audience=audience,
            required=_CLAIMS,
            others=False,
            life_seconds=LONGEST_LIFE_SECONDS,
            ahead_seconds=LONGEST_LIFE_SECONDS + SKEW_SECONDS,
        )
        self._find = find
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._principal)

    def sign(
        self,
        key: SigningKey,
        *,
        client: str,
        organisation: str,
        scopes: Iterable[str],
        life_seconds: int = 300,
    ) -> str:
        """A token for the client. ValueError where a name, a scope or the life is odd."""
        if not 0 < life_seconds <= LONGEST_LIFE_SECONDS:
            raise ValueError("life: expected 1 to 900 seconds")
        if not (NAME.fullmatch(client) and NAME.fullmatch(organisation)):
            raise ValueError("client, organisation: expected 1 to 100 plain characters")
        asked = tuple(scopes)
        fhir = tuple(each for each in asked if smart_scopes.grants(each))
        granted = (*known(set(asked) - set(fhir)), *dict.fromkeys(fhir))
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
        """The client that the token proves. Raises Problem `bad_token`, whatever is wrong.

        The key is asked for at every call, so that a key withdrawn refuses at once. What `find`
        raises is passed on.
        """
        try:
            kid = claimed_kid(token)
        except RefusedTokenError:
            raise _bad_token() from None
        key = self._find(kid)
        try:
            principal = self._remembered(token, key)
        except RefusedTokenError:
            raise _bad_token() from None
        if principal.expires_at <= time.time():
            raise _bad_token()
        return principal

    def _principal(self, token: str, key: VerifyingKey | None) -> Principal:
        return _principal(proved(token, key, self._expected))


def jwks(keys: Iterable[SigningKey]) -> dict[str, list[dict[str, str]]]:
    """The public halves of the keys as a JWK set."""
    return {"keys": [key.public_jwk() for key in keys]}


def _principal(claims: Mapping[str, Any]) -> Principal:
    client, organisation, scope = (claims[name] for name in ("sub", "organisation", "scope"))
    if client != claims["client_id"] or not isinstance(organisation, str):
        raise RefusedTokenError
    if not NAME.fullmatch(organisation) or claims["nbf"] < claims["iat"] - SKEW_SECONDS:
        raise RefusedTokenError
    if not isinstance(scope, str) or not NAME.fullmatch(claims["jti"]):
        raise RefusedTokenError
    scopes, fhir = _scopes(scope)
    return Principal(client, organisation, scopes, claims["exp"], "token", fhir)


def _scopes(scope: str) -> tuple[frozenset[str], frozenset[str]]:
    """Scopes of ours, and what SMART scopes permit; each scope once, ours first and in order."""
    words = scope.split(" ")
    fhir = list(dict.fromkeys(each for each in words if smart_scopes.grants(each)))
    try:
        scopes = known(set(words) - set(fhir))
    except ValueError:
        raise RefusedTokenError from None
    if [*scopes, *fhir] != words:
        raise RefusedTokenError
    return frozenset(scopes), frozenset[str]().union(*map(smart_scopes.grants, fhir))


def _bad_token() -> Problem:
    return Problem("bad_token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
