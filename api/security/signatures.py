"""Signs and verifies tokens. The only import of python-jose.

We check here or earlier what python-jose does not: it accepts tokens without `aud` or `exp`,
ignores `crit` and `typ`, tries every key regardless of the `kid`, and raises errors other than JWT
errors. It gets one key object, which matches its only permitted algorithm.

    InvalidTokenError    the sender must act; the reason is not disclosed
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jose import jwk, jwt
from jose.backends.base import Key
from jose.exceptions import ExpiredSignatureError, JWTClaimsError, JWTError

from api.security.claims import CLOCK_SKEW_SECONDS, ExpectedToken, TokenFaultError, check_claims
from api.security.jws import KID_PATTERN, decode_unverified
from api.security.keys import SigningKey, VerifyingKey

_KNOWN_HEADERS = {"alg", "jku", "kid", "typ"}
_REFUSED_HEADERS = {
    *("crit", "b64", "jwk", "x5u"),  # must be understood, or point to a key
    *("zip", "enc", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c"),  # of encrypted tokens
    "",
}
"""Headers that are refused everywhere, though RFC 7515 allows to ignore some of them."""
_REQUIRABLE_CLAIMS = ("aud", "iss", "sub", "jti", "iat", "nbf", "exp")


class InvalidTokenError(ValueError):
    """The token is refused; the reason is for the operator and is not disclosed."""

    def __init__(self, reason: str = "malformed") -> None:
        super().__init__("the token is refused")
        self.reason = reason


def sign_token(claims: Mapping[str, Any], key: SigningKey, token_type: str) -> str:
    """Sign a token with these claims and `typ`, and the key's `kid` and algorithm."""
    headers = {"typ": token_type, "kid": key.kid}
    return str(
        jwt.encode(dict(claims), _private_key(key), algorithm=key.algorithm, headers=headers)
    )


def verify_token(
    token: str, *, find_key: Callable[[str], VerifyingKey | None], expected: ExpectedToken
) -> dict[str, Any]:
    """Verify a token with the key that `find_key` returns for its `kid`, and return its claims.

    Raises InvalidTokenError for any defect. Errors of `find_key` are passed on: an unavailable
    database does not make a token invalid.
    """
    return verify_with_key(token, find_key(read_claimed_kid(token)), expected)


def read_claimed_kid(token: str) -> str:
    """Return the unverified `kid` of a token. Raises InvalidTokenError."""
    try:
        kid = decode_unverified(token).header["kid"]
        if isinstance(kid, str) and KID_PATTERN.fullmatch(kid):
            return kid
    except Exception:  # noqa: BLE001 - python-jose can raise anything; the sender learns nothing
        raise InvalidTokenError from None
    raise InvalidTokenError


def read_claimed_algorithm(token: str) -> Any:
    """Return the unverified `alg` of a token: only to choose a key."""
    try:
        return decode_unverified(token).header.get("alg")
    except ValueError:
        return None


def verify_with_key(
    token: str, key: VerifyingKey | None, expected: ExpectedToken
) -> dict[str, Any]:
    """Verify a token with this key and return its claims. Raises InvalidTokenError."""
    if key is None:
        raise InvalidTokenError("key_unknown")
    try:
        return _verify(token, key, expected)
    except Exception as error:  # noqa: BLE001 - python-jose can raise anything
        raise InvalidTokenError(_find_reason(error)) from None


def _find_reason(error: Exception) -> str:
    """Return the word for a failure; python-jose checks the signature before the claims."""
    match error:
        case TokenFaultError():
            return error.reason
        case ExpiredSignatureError():
            return "expired"
        case JWTClaimsError():
            name = str(error).lower()
            words = {"audience": "audience", "issuer": "issuer", "not yet": "not_yet_valid"}
            return next((word for part, word in words.items() if part in name), "claims")
        case JWTError():
            return "signature"
    return "malformed"


def _verify(token: str, key: VerifyingKey, expected: ExpectedToken) -> dict[str, Any]:
    header, claims = decode_unverified(token)
    _check_header(header, key, expected)
    required = {f"require_{name}": name in expected.required_claims for name in _REQUIRABLE_CLAIMS}
    jwt.decode(
        token,
        _public_key(key),
        algorithms=[key.algorithm],
        audience=expected.audience,
        issuer=expected.issuer,
        options={
            "leeway": CLOCK_SKEW_SECONDS,
            "verify_at_hash": not expected.accompanies_access_token,
        }
        | required,
    )
    check_claims(claims, expected)
    return claims


def _check_header(header: dict[str, Any], key: VerifyingKey, expected: ExpectedToken) -> None:
    """Raise TokenFaultError for a header that is refused. No key or address in it is ever used."""
    other_names = header.keys() - _KNOWN_HEADERS
    if other_names and not expected.allow_other_headers:
        raise TokenFaultError("header")
    if other_names & _REFUSED_HEADERS:
        raise TokenFaultError("header")
    token_type = header.get("typ")
    if expected.allow_other_headers and isinstance(token_type, str):
        token_type = _find_type(token_type, expected)
    if token_type not in expected.types or ("typ" in header and header["typ"] is None):
        raise TokenFaultError("header")
    if "jku" in header and (expected.jwks_url is None or header["jku"] != expected.jwks_url):
        raise TokenFaultError("header")
    if header["kid"] != key.kid:
        raise TokenFaultError("key_unknown")
    if header["alg"] != key.algorithm or key.algorithm not in expected.algorithms:
        raise TokenFaultError("algorithm")


def _find_type(token_type: str, expected: ExpectedToken) -> str:
    """Return the expected type that is the same without regard to case; else the type itself."""
    types = (it for it in expected.types if it is not None and it.lower() == token_type.lower())
    return next(types, token_type)


@lru_cache(maxsize=512)
def _public_key(key: VerifyingKey) -> Key:
    return jwk.construct(key.public_pem.decode("ascii"), key.algorithm)


@lru_cache(maxsize=4)
def _private_key(key: SigningKey) -> Key:
    return jwk.construct(key.private_pem.decode("ascii"), key.algorithm)
