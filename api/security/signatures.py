"""Signs and verifies tokens. The only import of python-jose.

We check here or earlier what python-jose does not: it accepts tokens without `aud` or `exp`,
ignores `crit` and `typ`, tries every key whatever the `kid`, and raises errors other than JWT
errors. It gets one key object, which matches its only permitted algorithm.

    RefusedTokenError    the sender must act; the reason is not disclosed
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jose import jwk, jwt
from jose.backends.base import Key

from api.security.claims import SKEW_SECONDS, Expected, check
from api.security.jwk_registration import client_key
from api.security.jws import KID, opened
from api.security.keys import SigningKey, VerifyingKey, new_signing_key

__all__ = [
    "Expected",
    "RefusedTokenError",
    "SigningKey",
    "VerifyingKey",
    "claimed_algorithm",
    "claimed_kid",
    "client_key",
    "new_signing_key",
    "proved",
    "signed",
    "verified",
]

_KNOWN_HEADERS = {"alg", "jku", "kid", "typ"}
_REQUIRABLE_CLAIMS = ("aud", "iss", "sub", "jti", "iat", "nbf", "exp")


class RefusedTokenError(ValueError):
    """The token is refused; the reason is not disclosed."""

    def __init__(self) -> None:
        super().__init__("the token is refused")


def signed(claims: Mapping[str, Any], key: SigningKey, type_: str) -> str:
    """Sign a token with these claims and `typ`, and the key's `kid` and algorithm."""
    headers = {"typ": type_, "kid": key.kid}
    return str(
        jwt.encode(dict(claims), _private_key(key), algorithm=key.algorithm, headers=headers)
    )


def verified(
    token: str, *, find: Callable[[str], VerifyingKey | None], expected: Expected
) -> dict[str, Any]:
    """Verify a token with the key that `find` returns for its `kid`, and return its claims.

    Raises RefusedTokenError for any defect. Errors of `find` are passed on: an unavailable database
    does not make a token invalid.
    """
    return proved(token, find(claimed_kid(token)), expected)


def claimed_kid(token: str) -> str:
    """Return the unverified `kid` of a token. Raises RefusedTokenError."""
    try:
        kid = opened(token).header["kid"]
        if isinstance(kid, str) and KID.fullmatch(kid):
            return kid
    except Exception:  # noqa: BLE001 - python-jose can raise anything; the sender learns nothing
        raise RefusedTokenError from None
    raise RefusedTokenError


def claimed_algorithm(token: str) -> Any:
    """Return the unverified `alg` of a token: only to choose a key."""
    try:
        return opened(token).header.get("alg")
    except ValueError:
        return None


def proved(token: str, key: VerifyingKey | None, expected: Expected) -> dict[str, Any]:
    """Verify a token with this key and return its claims. Raises RefusedTokenError."""
    if key is None:
        raise RefusedTokenError
    try:
        return _verify(token, key, expected)
    except Exception:  # noqa: BLE001 - python-jose can raise anything; the sender learns nothing
        raise RefusedTokenError from None


def _verify(token: str, key: VerifyingKey, expected: Expected) -> dict[str, Any]:
    header, claims = opened(token)
    if (
        not header.keys() <= _KNOWN_HEADERS | expected.ignored
        or header.get("typ") not in expected.types
    ):
        raise ValueError("header")
    if "jku" in header and (expected.key_set is None or header["jku"] != expected.key_set):
        raise ValueError("header")
    if ("typ" in header and header["typ"] is None) or header["kid"] != key.kid:
        raise ValueError("header")
    if header["alg"] != key.algorithm or key.algorithm not in expected.algorithms:
        raise ValueError("algorithm")
    required = {f"require_{name}": name in expected.required for name in _REQUIRABLE_CLAIMS}
    jwt.decode(
        token,
        _public_key(key),
        algorithms=[key.algorithm],
        audience=expected.audience,
        issuer=expected.issuer,
        options={"leeway": SKEW_SECONDS, "verify_at_hash": not expected.beside_access_token}
        | required,
    )
    check(claims, expected)
    return claims


@lru_cache(maxsize=512)
def _public_key(key: VerifyingKey) -> Key:
    return jwk.construct(key.public_pem.decode("ascii"), key.algorithm)


@lru_cache(maxsize=4)
def _private_key(key: SigningKey) -> Key:
    return jwk.construct(key.private_pem.decode("ascii"), key.algorithm)
