"""Verifies ID tokens of OpenID Connect providers.

RefusedTokenError    the token is refused; the reason is not disclosed
"""

import re
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any

from api.security.jwk_registration import parse_client_jwk
from api.security.keys import EC_CURVES, RSA_ALGORITHMS
from api.security.signatures import (
    ExpectedToken,
    InvalidTokenError,
    VerifyingKey,
    read_claimed_kid,
    verify_with_key,
)

MAX_KEYS = 50
MAX_LIFETIME_SECONDS = 24 * 3600
_SUBJECT = re.compile(r"[!-~]{1,255}")


def verify_id_token(
    token: str, *, keys: Mapping[str, Any], issuer: str, client: str, nonce: str
) -> str:
    """Verify an ID token for this login attempt and return its subject."""
    expected = ExpectedToken(
        algorithms=(*EC_CURVES, *RSA_ALGORITHMS),
        types=("JWT", None),
        issuer=issuer,
        audience=client,
        required_claims=frozenset(("iss", "sub", "aud", "exp", "iat", "nonce")),
        allow_other_claims=True,
        max_lifetime_seconds=MAX_LIFETIME_SECONDS,
        max_expiry_seconds=MAX_LIFETIME_SECONDS,
        subject_pattern=_SUBJECT,
        accompanies_access_token=True,
    )
    claims = verify_with_key(token, _find_key(keys, read_claimed_kid(token)), expected)
    claimed_nonce = claims["nonce"]
    if not isinstance(claimed_nonce, str) or not compare_digest(
        claimed_nonce.encode(), nonce.encode()
    ):
        raise InvalidTokenError
    if claims.get("azp", client) != client:
        raise InvalidTokenError
    return str(claims["sub"])


def _find_key(keys: Mapping[str, Any], kid: str) -> VerifyingKey | None:
    """Return the key with this `kid` from a JWK set; None if absent or unusable."""
    jwks = keys.get("keys")
    for jwk in jwks[:MAX_KEYS] if isinstance(jwks, list) else ():
        if not isinstance(jwk, dict) or jwk.get("kid") != kid:
            continue
        defaults = {"alg": "RS256"} if jwk.get("kty") == "RSA" else {}
        try:
            return parse_client_jwk(defaults | jwk)[0]
        except ValueError:
            return None
    return None
