"""Identities: an ID token of an identity provider in (OpenID Connect), who it means out.

RefusedTokenError    the token is refused, whatever is wrong with it
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
    """Whom the provider means, proved by one of its keys and meant for this one sign-in."""
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
    claims = proved(token, _key(keys, claimed_kid(token)), expected)
    given = claims["nonce"]
    if not isinstance(given, str) or not compare_digest(given.encode(), nonce.encode()):
        raise RefusedTokenError
    if claims.get("azp", client) != client:
        raise RefusedTokenError
    return str(claims["sub"])


def _key(keys: Mapping[str, Any], kid: str) -> VerifyingKey | None:
    """The key of that name in a JWK set; None where there is none that can be used."""
    listed = keys.get("keys")
    for jwk in listed[:KEYS] if isinstance(listed, list) else ():
        if not isinstance(jwk, dict) or jwk.get("kid") != kid:
            continue
        usual = {"alg": "RS256"} if jwk.get("kty") == "RSA" else {}
        try:
            return client_key(usual | jwk)[0]
        except ValueError:
            return None
    return None
