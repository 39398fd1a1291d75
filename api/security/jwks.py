"""A set of keys as its owner publishes it (JWKS): the one key of a name and kind, or none."""

from collections.abc import Iterable
from typing import Any

from api.security.jwk_registration import client_key
from api.security.keys import EC_CURVES, RSA_ALGORITHMS, VerifyingKey

MOST_KEYS = 100
_KINDS = dict.fromkeys(EC_CURVES, "EC") | dict.fromkeys(RSA_ALGORITHMS, "RSA")


def keys_of(told: Any) -> tuple[dict[str, Any], ...]:
    """The keys of a set. Raises ValueError for what is no set of keys."""
    keys = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise ValueError("expected an object with a list of at most 100 keys")
    return tuple(each for each in keys if isinstance(each, dict))


def key_in(keys: Iterable[dict[str, Any]], kid: str, algorithm: Any) -> VerifyingKey | None:
    """The only key of that name whose kind fits the algorithm; None where there are two, or none.

    An RSA key that names no algorithm of its own proves any of RSA's that we take.
    """
    kind = _KINDS.get(algorithm) if isinstance(algorithm, str) else None
    fitting = [each for each in keys if each.get("kid") == kid and each.get("kty") == kind]
    if kind is None or len(fitting) != 1:
        return None
    try:
        return client_key({"alg": algorithm} | fitting[0])[0]
    except ValueError:
        return None
