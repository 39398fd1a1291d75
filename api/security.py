"""Tokens: who calls, proved by a signature. The only module that imports python-jose.

Access tokens are JWTs signed with ES256 (`typ` at+jwt), each key known by its `kid`. Everything
about a token is checked here, the algorithm and the key type first: python-jose accepts tokens
without `aud` or `exp`, ignores `crit` and `typ`, and can raise what is no JWT error.
"""

import base64
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwt
from jose.backends import ECKey

from api.problems import Problem

ALGORITHM = "ES256"
TYPE = "at+jwt"
LONGEST_LIFE_SECONDS = 15 * 60
SKEW_SECONDS = 30
SCOPES = ("score",)
_SHAPE = re.compile(r"[A-Za-z0-9_-]{1,800}\.[A-Za-z0-9_-]{1,2400}\.[A-Za-z0-9_-]{86}")
_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_HEADER = {"alg", "typ", "kid"}
_TIMES = ("iat", "nbf", "exp")


class Principal(NamedTuple):
    """The client behind a token, and what it may do."""

    client: str
    scopes: frozenset[str]
    expires_at: int


class Keys:
    """One signing key and the table of keys that are trusted, by `kid`."""

    def __init__(self, private_pem: bytes, issuer: str, audience: str) -> None:
        key = serialization.load_pem_private_key(private_pem, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(
            key.curve, ec.SECP256R1
        ):
            raise ValueError("the token key must be a private key on the curve P-256, as PEM")
        public_pem = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.kid = hashlib.sha256(public_pem).hexdigest()[:16]
        self._private = ECKey(private_pem.decode("ascii"), ALGORITHM)
        self._trusted = {self.kid: ECKey(public_pem.decode("ascii"), ALGORITHM)}
        self._issuer, self._audience = issuer, audience
        self._verified = lru_cache(maxsize=1024)(self._verify)

    def sign(self, client: str, scopes: Iterable[str], life_seconds: int = 300) -> str:
        """A token for the client. Raises ValueError for a long life or an unknown scope."""
        if not 0 < life_seconds <= LONGEST_LIFE_SECONDS:
            raise ValueError("a token lives for at most 15 minutes")
        if unknown := sorted(set(scopes) - set(SCOPES)):
            raise ValueError(f"there is no scope {unknown[0]}")
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": client,
            "scope": " ".join(scopes),
            "iat": now,
            "nbf": now,
            "exp": now + life_seconds,
            "jti": secrets.token_urlsafe(16),
        }
        header = {"typ": TYPE, "kid": self.kid}
        return str(jwt.encode(claims, self._private, algorithm=ALGORITHM, headers=header))

    def verify(self, token: str) -> Principal:
        """The client that the token proves. Raises Problem `bad_token`, whatever is wrong."""
        try:
            principal = self._verified(token)
        except Exception as error:
            raise _bad_token() from error
        if principal.expires_at <= time.time():
            raise _bad_token()
        return principal

    def _verify(self, token: str) -> Principal:
        if not _SHAPE.fullmatch(token):
            raise ValueError("shape")
        parts = token.split(".")
        if any(_canonical(part) != part for part in parts):
            raise ValueError("base64url")
        header = json.loads(_decoded(parts[0]))
        if set(header) != _HEADER or header["alg"] != ALGORITHM or header["typ"] != TYPE:
            raise ValueError("header")
        claims = jwt.decode(
            token,
            self._trusted[header["kid"]],
            algorithms=[ALGORITHM],
            audience=self._audience,
            issuer=self._issuer,
            options={"leeway": SKEW_SECONDS}
            | {f"require_{name}": True for name in ("aud", "iss", "sub", "jti", *_TIMES)},
        )
        return _principal(claims)


def read_keys(file: Path, issuer: str, audience: str) -> Keys:
    """The keys in the file; a new one is made, readable by its owner only, where there is none."""
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "wb") as out:
            out.write(_new_key())
    return Keys(file.read_bytes(), issuer, audience)


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _principal(claims: Mapping[str, Any]) -> Principal:
    times = [claims[name] for name in _TIMES]
    if any(type(each) is not int for each in times):
        raise ValueError("times")
    issued_at, not_before, expires_at = times
    if issued_at > time.time() + SKEW_SECONDS or not_before < issued_at - SKEW_SECONDS:
        raise ValueError("issued in the future")
    if not 0 < expires_at - issued_at <= LONGEST_LIFE_SECONDS:
        raise ValueError("life")
    names = claims["sub"], claims["jti"]
    if any(type(each) is not str or not _ID.fullmatch(each) for each in names):
        raise ValueError("names")
    if type(claims["aud"]) is not str or type(claims["scope"]) is not str:
        raise ValueError("audience or scope")
    return Principal(claims["sub"], frozenset(claims["scope"].split()), expires_at)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _canonical(part: str) -> str:
    """The one spelling of these bytes; another that decodes to the same is refused."""
    return base64.urlsafe_b64encode(_decoded(part)).rstrip(b"=").decode("ascii")


def _bad_token() -> Problem:
    return Problem("bad_token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
