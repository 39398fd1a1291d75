"""Parses published JWK sets (JWKS) and finds keys in them."""

from collections.abc import Iterable
from typing import Any

from api.security.jwk_registration import parse_client_jwk
from api.security.keys import EC_CURVES, RSA_ALGORITHMS, VerifyingKey

MAX_KEYS = 100
_KEY_TYPES = dict.fromkeys(EC_CURVES, "EC") | dict.fromkeys(RSA_ALGORITHMS, "RSA")


def parse_jwks(document: Any) -> tuple[dict[str, Any], ...]:
    """Return the keys of a JWK set. Raises ValueError for any other document."""
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise ValueError("expected an object with a list of at most 100 keys")
    return tuple(key for key in keys if isinstance(key, dict))


def find_jwk(keys: Iterable[dict[str, Any]], kid: str, algorithm: Any) -> VerifyingKey | None:
    """Return the only key with this `kid` and a type for the algorithm; None if ambiguous."""
    key_type = _KEY_TYPES.get(algorithm) if isinstance(algorithm, str) else None
    candidates = [key for key in keys if key.get("kid") == kid and key.get("kty") == key_type]
    if key_type is None or len(candidates) != 1:
        return None
    try:
        return parse_client_jwk({"alg": algorithm} | candidates[0])[0]
    except ValueError:
        return None
