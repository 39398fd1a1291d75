"""Trusting: a token of a hospital's own issuer in, whoever it stands for out.

The issuer is one that whoever runs the service entered for one organisation; its name, audience,
keys and algorithms are pinned, and nothing in a token is followed. Whatever is wrong with a token
is told in one way.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

from api.auth.jwks_cache import KeySets, Source
from api.problems import Problem
from api.security import smart_scopes
from api.security.claims import PLAIN, SKEW_SECONDS
from api.security.jwks import key_in
from api.security.jws import opened
from api.security.keys import EC_CURVES, RSA_ALGORITHMS
from api.security.scopes import SCOPES
from api.security.signatures import (
    Expected,
    RefusedTokenError,
    VerifyingKey,
    claimed_algorithm,
    verified,
)
from api.store.accounts import issuers
from api.store.accounts.callers import Caller
from api.store.accounts.issuers import Trusted
from api.store.store import Store
from schemas.issuer import Issuer

LONGEST_ACCESS_SECONDS = 90 * 60
LONGEST_HOOK_SECONDS = 5 * 60
_ALGORITHMS = (*EC_CURVES, *RSA_ALGORITHMS)
_MEANINGLESS = frozenset({"x5t", "x5t#S256"})
_WORDS = 200


class Hooked(NamedTuple):
    """An EHR that calls, and its token, which must not be used again."""

    caller: Caller
    issuer: Issuer
    jti: str
    expires_at: int


class Trust:
    """Whom the store trusts, proved by their keys."""

    def __init__(self, store: Store, key_sets: KeySets) -> None:
        self._store = store
        self._key_sets = key_sets

    def by_access_token(self, token: str) -> Caller:
        """Whoever an access token stands for. Raises Problem `bad_token`, `unavailable`."""
        claimed = claims_of(token)
        for audience in _audiences(claimed):
            trusted = self._trusted("access", claimed, audience)
            if trusted is not None:
                claims = self._proved(token, trusted.issuer, _access(trusted.issuer))
                return _caller(trusted, claims)
        raise bad_token()

    def by_hook_token(self, token: str, address: str) -> Hooked:
        """The EHR that calls this address. Raises Problem `bad_token`, `unavailable`."""
        trusted = self._trusted("hooks", claims_of(token), "")
        if trusted is None:
            raise bad_token()
        claims = self._proved(token, trusted.issuer, _hook(trusted.issuer, address))
        caller = trusted.caller(
            trusted.issuer.issuer, frozenset(trusted.issuer.terms.scopes), frozenset()
        )
        return Hooked(caller, trusted.issuer, claims["jti"], claims["exp"])

    def _trusted(self, kind: Any, claimed: Mapping[str, Any], audience: str) -> Trusted | None:
        issuer = claimed.get("iss")
        if not isinstance(issuer, str) or not 0 < len(issuer) <= 500:
            return None
        return issuers.trusted(self._store, kind, issuer, audience)

    def _proved(self, token: str, issuer: Issuer, expected: Expected) -> dict[str, Any]:
        find = partial(self._key, issuer, claimed_algorithm(token))
        try:
            return verified(token, find=find, expected=expected)
        except RefusedTokenError:
            raise bad_token() from None

    def _key(self, issuer: Issuer, algorithm: Any, kid: str) -> VerifyingKey | None:
        url = issuer.terms.key_set_url
        if url is None:
            return key_in(issuer.terms.keys, kid, algorithm)
        return self._key_sets.key(Source(issuer.organisation, url), kid, algorithm)


@lru_cache(maxsize=1024)
def issuer_of(token: str) -> str | None:
    """The issuer that a token names, unproved: to find who must prove it."""
    issuer = claims_of(token).get("iss")
    return issuer if isinstance(issuer, str) else None


def claims_of(token: str) -> dict[str, Any]:
    """What a token says of itself, unproved: to find who must prove it. Empty where it is none."""
    try:
        return opened(token).claims
    except ValueError:
        return {}


def bad_token() -> Problem:
    """The one answer to every token that proves nothing."""
    return Problem("bad_token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


def _access(issuer: Issuer) -> Expected:
    types = (issuer.terms.token_type,)
    return Expected(
        algorithms=_ALGORITHMS,
        types=(*types, "application/at+jwt") if types == ("at+jwt",) else types,
        issuer=issuer.issuer,
        audience=issuer.audience,
        required=frozenset({"iss", "aud", "sub", "iat", "exp"}),
        others=True,
        life_seconds=LONGEST_ACCESS_SECONDS,
        ahead_seconds=LONGEST_ACCESS_SECONDS + SKEW_SECONDS,
        key_set=issuer.terms.key_set_url,
        ignored=_MEANINGLESS,
        listed=True,
        subject=PLAIN,
    )


def _hook(issuer: Issuer, address: str) -> Expected:
    return Expected(
        algorithms=_ALGORITHMS,
        types=("JWT",),
        issuer=issuer.issuer,
        audience=address,
        required=frozenset({"iss", "aud", "iat", "exp", "jti"}),
        others=True,
        life_seconds=LONGEST_HOOK_SECONDS,
        ahead_seconds=LONGEST_HOOK_SECONDS + SKEW_SECONDS,
        key_set=issuer.terms.key_set_url,
        ignored=_MEANINGLESS,
        listed=True,
        subject=PLAIN,
    )


def _audiences(claimed: Mapping[str, Any]) -> Iterable[str]:
    """The one audience that the token names, alone or in a list of one."""
    told = claimed.get("aud")
    told = told[0] if isinstance(told, list) and len(told) == 1 else told
    return (told,) if isinstance(told, str) and 0 < len(told) <= 500 else ()


def _caller(trusted: Trusted, claims: Mapping[str, Any]) -> Caller:
    terms = trusted.issuer.terms
    words = _words(claims.get(terms.scope_claim))
    most = frozenset(terms.scopes)
    given = {scope for word in words for scope in terms.mapping.get(word, ())}
    scopes = frozenset(each for each in SCOPES if each in given & most)
    asked = frozenset[str]().union(*(smart_scopes.grants(word) for word in words))
    return trusted.caller(
        claims["sub"], scopes, smart_scopes.within(asked, most) if asked else asked
    )


def _words(told: Any) -> list[str]:
    """The scopes of a token, as a text of words or a list; of whatever is neither, none."""
    words = told.split(" ") if isinstance(told, str) else told if isinstance(told, list) else []
    return [each for each in words if isinstance(each, str)][:_WORDS]
