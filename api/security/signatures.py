"""Signatures: claims in, a signed token out, and the reverse. The only import of python-jose.

Everything that python-jose leaves open is closed here or before: it takes tokens without `aud`
or `exp`, ignores `crit` and `typ`, tries every key whatever the `kid`, and raises what is no JWT
error. It is given one key object, fitting one algorithm, and a list of that algorithm alone.

    RefusedTokenError    the sender must act; why is not told
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

_HEADER = {"alg", "jku", "kid", "typ"}
_REQUIRABLE = ("aud", "iss", "sub", "jti", "iat", "nbf", "exp")


class RefusedTokenError(ValueError):
    """The token is refused, whatever is wrong with it."""

    def __init__(self) -> None:
        super().__init__("the token is refused")


def signed(claims: Mapping[str, Any], key: SigningKey, type_: str) -> str:
    """A token with these claims and `typ`, under the key's `kid` and algorithm."""
    headers = {"typ": type_, "kid": key.kid}
    return str(jwt.encode(dict(claims), _private(key), algorithm=key.algorithm, headers=headers))


def verified(
    token: str, *, find: Callable[[str], VerifyingKey | None], expected: Expected
) -> dict[str, Any]:
    """The claims, proved by the key that `find` gives for the token's `kid`.

    Raises RefusedTokenError, whatever is wrong with the token. What `find` raises is passed on:
    a database that is away makes no token false.
    """
    return proved(token, find(claimed_kid(token)), expected)


def claimed_kid(token: str) -> str:
    """The name of the key that the token says it is signed with. Raises RefusedTokenError."""
    try:
        kid = opened(token).header["kid"]
        if isinstance(kid, str) and KID.fullmatch(kid):
            return kid
    except Exception:  # noqa: BLE001 - python-jose can raise anything; the sender learns nothing
        raise RefusedTokenError from None
    raise RefusedTokenError


def claimed_algorithm(token: str) -> Any:
    """The algorithm that the token says it is signed by: to choose a key, never to trust."""
    try:
        return opened(token).header.get("alg")
    except ValueError:
        return None


def proved(token: str, key: VerifyingKey | None, expected: Expected) -> dict[str, Any]:
    """The claims, proved by this key. Raises RefusedTokenError, also where there is no key."""
    if key is None:
        raise RefusedTokenError
    try:
        return _proved(token, key, expected)
    except Exception:  # noqa: BLE001 - python-jose can raise anything; the sender learns nothing
        raise RefusedTokenError from None


def _proved(token: str, key: VerifyingKey, expected: Expected) -> dict[str, Any]:
    header, claims = opened(token)
    if not header.keys() <= _HEADER | expected.ignored or header.get("typ") not in expected.types:
        raise ValueError("header")
    if "jku" in header and (expected.key_set is None or header["jku"] != expected.key_set):
        raise ValueError("header")
    if ("typ" in header and header["typ"] is None) or header["kid"] != key.kid:
        raise ValueError("header")
    if header["alg"] != key.algorithm or key.algorithm not in expected.algorithms:
        raise ValueError("algorithm")
    required = {f"require_{name}": name in expected.required for name in _REQUIRABLE}
    jwt.decode(
        token,
        _public(key),
        algorithms=[key.algorithm],
        audience=expected.audience,
        issuer=expected.issuer,
        options={"leeway": SKEW_SECONDS, "verify_at_hash": not expected.beside_access_token}
        | required,
    )
    check(claims, expected)
    return claims


@lru_cache(maxsize=512)
def _public(key: VerifyingKey) -> Key:
    return jwk.construct(key.public_pem.decode("ascii"), key.algorithm)


@lru_cache(maxsize=4)
def _private(key: SigningKey) -> Key:
    return jwk.construct(key.private_pem.decode("ascii"), key.algorithm)
