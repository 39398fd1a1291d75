"""Verifiers of both kinds of signed token, each with a forger that makes tokens it accepts."""

from collections.abc import Callable
from dataclasses import dataclass

from support.faults.forged_tokens import NOW, Forger, private_key, public_pem

from api.security.keys import VerifyingKey
from api.security.signatures import InvalidTokenError
from api.security.tokens.access_tokens import AccessTokens
from api.security.tokens.client_assertions import InvalidAssertionError, verify_assertion

TOKEN_URL = "https://nociscreen.example.org/v1/oauth/token"
ACCESS_CLAIMS = {
    "iss": "nociscreen",
    "aud": "nociscreen-api",
    "sub": "hospital",
    "client_id": "hospital",
    "organisation": "north",
    "scope": "score reports:read",
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 300,
    "jti": "abc",
}
ASSERTION_CLAIMS = {
    "iss": "hospital",
    "sub": "hospital",
    "aud": TOKEN_URL,
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 300,
    "jti": "abc",
}


@dataclass(frozen=True)
class Target:
    """A verifier under attack: tokens are forged for it; `opens` says whether it accepts one."""

    forger: Forger
    key: VerifyingKey
    opens: Callable[[str], bool]


def access_opens(tokens: AccessTokens, token: str) -> bool:
    """Whether the token opens; every refusal is the same to the letter."""
    try:
        tokens.verify(token)
    except InvalidTokenError as error:
        refusal, cause = str(error), error.__cause__
    else:
        return True
    assert (refusal, cause) == ("the token is refused", None)
    return False


def assertion_opens(key: VerifyingKey, text: str) -> bool:
    """Whether the assertion opens; every refusal is the same to the letter."""
    try:
        verify_assertion(text, audiences=[TOKEN_URL], find_key=lambda _client, _kid: key)
    except InvalidAssertionError as error:
        refusal = str(error)
    else:
        return True
    assert refusal == "the client assertion is refused"
    return False


def make_target(kind: str, algorithm: str) -> Target:
    """A verifier that trusts one key, for any `kid`."""
    private = private_key(algorithm)
    key = VerifyingKey("Key-1", algorithm, public_pem(private))
    header = {"alg": algorithm, "typ": "at+jwt" if kind == "access" else "JWT", "kid": "Key-1"}
    if kind == "access":
        tokens = AccessTokens("nociscreen", "nociscreen-api", lambda _: key)
        forger = Forger(private, algorithm, header, ACCESS_CLAIMS)
        return Target(forger, key, lambda token: access_opens(tokens, token))
    forger = Forger(private, algorithm, header, ASSERTION_CLAIMS)
    return Target(forger, key, lambda token: assertion_opens(key, token))
