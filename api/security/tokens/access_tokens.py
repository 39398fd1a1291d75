"""Issues and verifies our access tokens, and publishes the public keys as a JWK set.

An access token is a JWT with `typ` at+jwt (RFC 9068). A client assertion has `typ` JWT or none, so
it is never accepted as an access token.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from api.security import smart_scopes
from api.security.claims import CLOCK_SKEW_SECONDS, NAME_PATTERN, ExpectedToken
from api.security.client_secrets import hash_secret
from api.security.keys import EC_CURVES, SigningKey, VerifyingKey
from api.security.scopes import sort_known_scopes
from api.security.signatures import InvalidTokenError, read_claimed_kid, sign_token, verify_with_key

ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type # nosec B105
MAX_LIFETIME_SECONDS = 15 * 60
CACHED_TOKENS = 1024
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
    fhir_permissions: frozenset[str] = frozenset()
    jti_sha256: str = ""
    """The hash of the id of a token, by which it is revoked."""


class AccessTokens:
    """Tokens of one issuer for one audience. `find_key` returns the trusted key of a `kid`."""

    def __init__(
        self, issuer: str, audience: str, find_key: Callable[[str], VerifyingKey | None]
    ) -> None:
        self._expected = ExpectedToken(
            algorithms=tuple(EC_CURVES),
            types=(ACCESS_TOKEN_TYPE,),
            issuer=issuer,
            audience=audience,
            required_claims=_REQUIRED_CLAIMS,
            allow_other_claims=False,
            max_lifetime_seconds=MAX_LIFETIME_SECONDS,
            max_expiry_seconds=MAX_LIFETIME_SECONDS + CLOCK_SKEW_SECONDS,
        )
        self._find = find_key
        self._read_kid_cached = lru_cache(maxsize=CACHED_TOKENS)(read_claimed_kid)
        self._verify_cached = lru_cache(maxsize=CACHED_TOKENS)(self._verify_with_key)

    def issue(
        self,
        key: SigningKey,
        *,
        client: str,
        organisation: str,
        scopes: Iterable[str],
        lifetime_seconds: int = 300,
    ) -> str:
        """Issue a token. Raises ValueError for an invalid name, scope or lifetime."""
        if not 0 < lifetime_seconds <= MAX_LIFETIME_SECONDS:
            raise ValueError("life: expected 1 to 900 seconds")
        if not (NAME_PATTERN.fullmatch(client) and NAME_PATTERN.fullmatch(organisation)):
            raise ValueError("client, organisation: expected 1 to 100 plain characters")
        requested = tuple(scopes)
        smart_requested = tuple(scope for scope in requested if smart_scopes.expand_scope(scope))
        granted_scopes = (
            *sort_known_scopes(set(requested) - set(smart_requested)),
            *dict.fromkeys(smart_requested),
        )
        if not granted_scopes:
            raise ValueError("scopes: expected at least one")
        now = int(time.time())
        claims = {
            "iss": self._expected.issuer,
            "aud": self._expected.audience,
            "sub": client,
            "client_id": client,
            "organisation": organisation,
            "scope": " ".join(granted_scopes),
            "iat": now,
            "nbf": now,
            "exp": now + lifetime_seconds,
            "jti": secrets.token_urlsafe(16),
        }
        return sign_token(claims, key, ACCESS_TOKEN_TYPE)

    def verify(
        self, token: str, find_key: Callable[[str], VerifyingKey | None] | None = None
    ) -> Principal:
        """Verify a token and return its client. Raises InvalidTokenError for any defect.

        The key is looked up on every call, so that a revoked key takes effect at once: by
        `find_key`, if given. Its errors are passed on.
        """
        key = (find_key or self._find)(self._read_kid_cached(token))
        principal = self._verify_cached(token, key)
        if principal.expires_at <= time.time():
            raise InvalidTokenError("expired")
        return principal

    def _verify_with_key(self, token: str, key: VerifyingKey | None) -> Principal:
        return _to_principal(verify_with_key(token, key, self._expected))


def build_jwks(keys: Iterable[SigningKey]) -> dict[str, list[dict[str, str]]]:
    """Return the public keys as a JWK set."""
    return {"keys": [key.to_public_jwk() for key in keys]}


def _to_principal(claims: Mapping[str, Any]) -> Principal:
    client, organisation, scope = (claims[name] for name in ("sub", "organisation", "scope"))
    if client != claims["client_id"] or not isinstance(organisation, str):
        raise InvalidTokenError
    if (
        not NAME_PATTERN.fullmatch(organisation)
        or claims["nbf"] < claims["iat"] - CLOCK_SKEW_SECONDS
    ):
        raise InvalidTokenError
    if not isinstance(scope, str) or not NAME_PATTERN.fullmatch(claims["jti"]):
        raise InvalidTokenError
    scopes, fhir = _parse_scopes(scope)
    jti_sha256 = hash_secret(claims["jti"])
    return Principal(client, organisation, scopes, claims["exp"], "token", fhir, jti_sha256)


def _parse_scopes(scope: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return our scopes and the SMART permissions; they must be unique, ours first and in order."""
    words = scope.split(" ")
    smart_granted = list(dict.fromkeys(word for word in words if smart_scopes.expand_scope(word)))
    try:
        scopes = sort_known_scopes(set(words) - set(smart_granted))
    except ValueError:
        raise InvalidTokenError from None
    if [*scopes, *smart_granted] != words:
        raise InvalidTokenError
    return frozenset(scopes), frozenset[str]().union(*map(smart_scopes.expand_scope, smart_granted))
