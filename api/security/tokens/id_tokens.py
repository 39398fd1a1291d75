"""Verifies ID tokens of OpenID Connect providers.

InvalidTokenError    the token is refused; the reason is not disclosed
StaleLoginError      the token does not say that its subject logged in again
"""

import re
import time
from collections.abc import Iterable, Sequence
from hmac import compare_digest
from typing import Any, NamedTuple

from api.security.claims import CLOCK_SKEW_SECONDS, ExpectedToken
from api.security.jwks import find_jwk
from api.security.keys import EC_CURVES, RSA_ALGORITHMS
from api.security.signatures import (
    InvalidTokenError,
    read_claimed_algorithm,
    read_claimed_kid,
    verify_with_key,
)

MAX_LIFETIME_SECONDS = 24 * 3600
_SUBJECT = re.compile(r"[!-~]{1,255}")


class VerifiedIdentity(NamedTuple):
    """Who logged in: the subject and, from an EHR, its own resource of the user, else empty."""

    subject: str
    fhir_user: str


class StaleLoginError(InvalidTokenError):
    """The token has no `auth_time`, or one before the login was asked for."""


def verify_id_token(  # noqa: PLR0913 - each thing that a login expects
    token: str,
    *,
    keys: Iterable[dict[str, Any]],
    issuer: str,
    client: str,
    nonce: str,
    acr_values: Sequence[str] = (),
    logged_in_since: int | None = None,
) -> VerifiedIdentity:
    """Verify an ID token for this login attempt and return whom it names.

    With `acr_values` the token must name one of these authentication classes, with
    `logged_in_since` (Unix time) an `auth_time` that is not before it. Raises StaleLoginError.
    """
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
    key = find_jwk(keys, read_claimed_kid(token), read_claimed_algorithm(token))
    claims = verify_with_key(token, key, expected)
    if not isinstance(claims["nonce"], str) or claims.get("azp", client) != client:
        raise InvalidTokenError
    if not compare_digest(claims["nonce"].encode(), nonce.encode()):
        raise InvalidTokenError
    if acr_values and claims.get("acr") not in acr_values:
        raise InvalidTokenError
    if logged_in_since is not None:
        _check_login_time(claims.get("auth_time"), logged_in_since)
    fhir_user = claims.get("fhirUser")
    return VerifiedIdentity(str(claims["sub"]), fhir_user if isinstance(fhir_user, str) else "")


def _check_login_time(auth_time: object, logged_in_since: int) -> None:
    if type(auth_time) is not int:
        raise StaleLoginError("claims")
    if not logged_in_since - CLOCK_SKEW_SECONDS <= auth_time <= time.time() + CLOCK_SKEW_SECONDS:
        raise StaleLoginError("lifetime")
