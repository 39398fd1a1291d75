"""Verifies access tokens from external issuers and returns the caller.

The operator registers an issuer for one organisation and pins its name, audience, keys and
algorithms; no address in a token is followed. Every failure returns the same error.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

from api.auth.jwks_cache import JwksCache, JwksSource
from api.problems import Problem
from api.security import smart_scopes
from api.security.claims import CLOCK_SKEW_SECONDS, PRINTABLE_PATTERN, ExpectedToken
from api.security.jwks import find_jwk
from api.security.jws import decode_unverified
from api.security.keys import EC_CURVES, RSA_ALGORITHMS, VerifyingKey
from api.security.scopes import expand_scopes
from api.security.signatures import InvalidTokenError, read_claimed_algorithm, verify_token
from api.store.accounts import issuers
from api.store.accounts.callers import Caller
from api.store.accounts.issuers import TrustedIssuer
from api.store.store import Store
from schemas.organisations.issuer import Issuer

MAX_ACCESS_TOKEN_SECONDS = 90 * 60
MAX_HOOK_TOKEN_SECONDS = 5 * 60
_ALGORITHMS = (*EC_CURVES, *RSA_ALGORITHMS)
_MAX_TOKEN_SCOPES = 200


class EhrCall(NamedTuple):
    """A call from an EHR with the id of its token, which may be used once only."""

    caller: Caller
    issuer: Issuer
    jti: str
    expires_at: int


class ExternalTokenVerifier:
    """Verifies tokens of the external issuers registered in the store, by their keys."""

    def __init__(self, store: Store, key_sets: JwksCache) -> None:
        self._store = store
        self._key_sets = key_sets

    def verify_access_token(self, token: str) -> Caller:
        """Return the caller of an access token. Raises Problem `invalid_token`, `unavailable`."""
        unverified = read_unverified_claims(token)
        for audience in _list_audiences(unverified):
            registration = self._find_issuer("access", unverified, audience)
            if registration is not None:
                expected = _expect_access_token(registration.issuer)
                claims = self._verify(token, registration.issuer, expected)
                return _build_caller(registration, claims)
        raise build_token_problem("issuer")

    def verify_hook_token(self, token: str, url: str) -> EhrCall:
        """Return the EHR call to this address. Raises Problem `invalid_token`, `unavailable`."""
        registration = self._find_issuer("hooks", read_unverified_claims(token), "")
        if registration is None:
            raise build_token_problem("issuer")
        expected = _expect_hook_token(registration.issuer, url)
        claims = self._verify(token, registration.issuer, expected)
        caller = registration.build_caller(
            registration.issuer.issuer,
            frozenset(expand_scopes(registration.issuer.terms.scopes)),
            frozenset(),
        )
        return EhrCall(caller, registration.issuer, claims["jti"], claims["exp"])

    def _find_issuer(
        self, kind: Any, unverified: Mapping[str, Any], audience: str
    ) -> TrustedIssuer | None:
        issuer = unverified.get("iss")
        if not isinstance(issuer, str) or not 0 < len(issuer) <= 500:
            return None
        return issuers.look_up_trusted_issuer(self._store, kind, issuer, audience)

    def _verify(self, token: str, issuer: Issuer, expected: ExpectedToken) -> dict[str, Any]:
        find = partial(self._find_key, issuer, read_claimed_algorithm(token))
        try:
            return verify_token(token, find_key=find, expected=expected)
        except InvalidTokenError as error:
            raise build_token_problem(error.reason) from None

    def _find_key(self, issuer: Issuer, algorithm: Any, kid: str) -> VerifyingKey | None:
        url = issuer.terms.key_set_url
        if issuer.terms.keys or url is None:
            return find_jwk(issuer.terms.keys, kid, algorithm)
        return self._key_sets.find_key(JwksSource(issuer.organisation, url), kid, algorithm)


@lru_cache(maxsize=1024)
def read_unverified_issuer(token: str) -> str | None:
    """Return the issuer named in a token, unverified: use it only to choose the verifier."""
    issuer = read_unverified_claims(token).get("iss")
    return issuer if isinstance(issuer, str) else None


def read_unverified_claims(token: str) -> dict[str, Any]:
    """Return the unverified claims of a token, to choose the verifier; empty if unreadable."""
    try:
        return decode_unverified(token).claims
    except ValueError:
        return {}


class RefusedToken(Problem):
    """A token is refused, for a reason that only the operator learns, unless `detail` says it."""

    def __init__(self, reason: str, detail: str | None = None) -> None:
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        super().__init__("invalid_token", detail, headers=challenge)
        self.reason = reason


def build_token_problem(reason: str = "", detail: str | None = None) -> Problem:
    """Build the problem for every token that fails verification."""
    return RefusedToken(reason, detail)


def _expect_access_token(issuer: Issuer) -> ExpectedToken:
    types = (issuer.terms.token_type,)
    return _expect_token(
        issuer,
        MAX_ACCESS_TOKEN_SECONDS,
        types=(*types, "application/at+jwt") if types == ("at+jwt",) else types,
        audience=issuer.audience,
        required_claims=frozenset({"iss", "aud", "sub", "iat", "exp"}),
    )


def _expect_hook_token(issuer: Issuer, address: str) -> ExpectedToken:
    return _expect_token(
        issuer,
        MAX_HOOK_TOKEN_SECONDS,
        types=("JWT",),
        audience=address,
        required_claims=frozenset({"iss", "aud", "iat", "exp", "jti"}),
    )


def _expect_token(issuer: Issuer, max_lifetime_seconds: int, **requirements: Any) -> ExpectedToken:
    return ExpectedToken(
        **requirements,
        algorithms=_ALGORITHMS,
        issuer=issuer.issuer,
        allow_other_claims=True,
        max_lifetime_seconds=max_lifetime_seconds,
        max_expiry_seconds=max_lifetime_seconds + CLOCK_SKEW_SECONDS,
        jwks_url=issuer.terms.key_set_url,
        allow_other_headers=True,
        allow_audience_list=True,
        subject_pattern=PRINTABLE_PATTERN,
    )


def _list_audiences(unverified: Mapping[str, Any]) -> Iterable[str]:
    """Return the one audience that the token names, as a string or a list of one; else nothing."""
    audience = unverified.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    return (audience,) if isinstance(audience, str) and 0 < len(audience) <= 500 else ()


def _build_caller(registration: TrustedIssuer, claims: Mapping[str, Any]) -> Caller:
    terms = registration.issuer.terms
    token_scopes = _parse_scopes(claims.get(terms.scope_claim))
    allowed_scopes = frozenset(expand_scopes(terms.scopes))
    mapped = {scope for word in token_scopes for scope in terms.mapping.get(word, ())}
    scopes = frozenset(expand_scopes(mapped)) & allowed_scopes
    fhir = frozenset[str]().union(*(smart_scopes.expand_scope(word) for word in token_scopes))
    return registration.build_caller(
        claims["sub"],
        scopes,
        smart_scopes.limit_permissions(fhir, allowed_scopes) if fhir else fhir,
    )


def _parse_scopes(claim: Any) -> list[str]:
    """Read the scope claim: a list, or a string separated by spaces; anything else is empty."""
    scopes = claim.split(" ") if isinstance(claim, str) else claim
    if not isinstance(scopes, list):
        return []
    return [scope for scope in scopes if isinstance(scope, str)][:_MAX_TOKEN_SCOPES]
