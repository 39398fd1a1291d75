"""Verifies ID tokens of OpenID Connect providers.

RefusedTokenError    the token is refused; the reason is not disclosed
"""

import re
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any

from api.security.jwk_registration import client_key
from api.security.keys import EC_CURVES, RSA_ALGORITHMS
from api.security.signatures import (
    Expected,
    RefusedTokenError,
    VerifyingKey,
    claimed_kid,
    proved,
)

KEYS = 50
LIFE_SECONDS = 24 * 3600
_SUBJECT = re.compile(r"[!-~]{1,255}")


def subject_of(token: str, *, keys: Mapping[str, Any], issuer: str, client: str, nonce: str) -> str:
    """Verify an ID token for this login attempt and return its subject."""
    expected = Expected(
        algorithms=(*EC_CURVES, *RSA_ALGORITHMS),
        types=("JWT", None),
        issuer=issuer,
        audience=client,
        required=frozenset(("iss", "sub", "aud", "exp", "iat", "nonce")),
        others=True,
        life_seconds=LIFE_SECONDS,
        ahead_seconds=LIFE_SECONDS,
        subject=_SUBJECT,
        beside_access_token=True,
    )
    claims = proved(token, _find_key(keys, claimed_kid(token)), expected)
    claimed_nonce = claims["nonce"]
    if not isinstance(claimed_nonce, str) or not compare_digest(
        claimed_nonce.encode(), nonce.encode()
    ):
        raise RefusedTokenError
    if claims.get("azp", client) != client:
        raise RefusedTokenError
    return str(claims["sub"])


def _find_key(keys: Mapping[str, Any], kid: str) -> VerifyingKey | None:
    """Return the key with this `kid` from a JWK set; None if absent or unusable."""
    jwks = keys.get("keys")
    for jwk in jwks[:KEYS] if isinstance(jwks, list) else ():
        if not isinstance(jwk, dict) or jwk.get("kid") != kid:
            continue
        defaults = {"alg": "RS256"} if jwk.get("kty") == "RSA" else {}
        try:
            return client_key(defaults | jwk)[0]
        except ValueError:
            return None
    return None
