"""The identity provider: where to send who wants to sign in, and whom its answer means.

OpenID Connect by authorization code with PKCE. What belongs to one sign-in (state, nonce, verifier)
is held by the browser alone, sealed, for ten minutes.
"""

import base64
import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import httpx
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.problems import Problem
from api.security.id_tokens import subject_of
from api.security.signatures import RefusedTokenError
from api.settings import Settings
from api.store.key_ring import KeyRing

FLOW_SECONDS = 600
KNOWN_SECONDS = 3600
ANSWER_BYTES = 256 * 1024
TIMEOUT_SECONDS = 10
BACK = "/sign-in/provider/return"
_PURPOSE = b"sign-in at a provider"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Flow(NamedTuple):
    """One sign-in under way; with the secret of the invitation that it accepts, if any."""

    state: str
    nonce: str
    verifier: str
    invitation: str
    until: int


class ProviderError(Exception):
    """The provider cannot be reached, or answers what it should not."""


class Provider:
    """One provider, as the settings name it."""

    def __init__(self, settings: Settings, ring: KeyRing) -> None:
        self._settings = settings
        self._ring = ring
        self._known: tuple[float, dict[str, Any]] = (0.0, {})

    def begin(self, invitation: str = "") -> tuple[str, str]:
        """The address to go on to, and what the browser must hold meanwhile.

        Raises Problem `unavailable` where the provider is not there.
        """
        flow = Flow(
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(48),
            invitation,
            int(time.time()) + FLOW_SECONDS,
        )
        challenge = hashlib.sha256(flow.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self._back,
            "scope": "openid",
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        try:
            start = self._address("authorization_endpoint")
        except ProviderError:
            raise Problem("unavailable", headers={"Retry-After": "30"}) from None
        joined = "&" if "?" in start else "?"
        return f"{start}{joined}{urlencode(asked)}", self._sealed(flow)

    def finish(self, held: str, answer: Mapping[str, str]) -> tuple[str, str] | None:
        """Whom the answer means, and the invitation that it accepts; None for any other answer."""
        flow = self._opened(held)
        if flow is None or not secrets.compare_digest(
            answer.get("state", "").encode(), flow.state.encode()
        ):
            return None
        if answer.get("iss", self._settings.oidc_issuer) != self._settings.oidc_issuer:
            return None
        if not answer.get("code"):
            return None
        try:
            token = self._token(answer["code"], flow.verifier)
            keys = self._read(self._address("jwks_uri"))
            subject = subject_of(
                token,
                keys=keys,
                issuer=self._settings.oidc_issuer,
                client=self._settings.oidc_client_id,
                nonce=flow.nonce,
            )
        except (ProviderError, RefusedTokenError):
            return None
        return subject, flow.invitation

    @property
    def _back(self) -> str:
        return f"{self._settings.public_url}{BACK}"

    def _token(self, code: str, verifier: str) -> str:
        secret = self._settings.oidc_client_secret
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back,
            "client_id": self._settings.oidc_client_id,
            "code_verifier": verifier,
        } | ({"client_secret": secret.get_secret_value()} if secret else {})
        token = self._read(self._address("token_endpoint"), sent).get("id_token")
        if not isinstance(token, str):
            raise ProviderError
        return token

    def _address(self, name: str) -> str:
        """An address that the provider's own description gives, read once an hour."""
        read_at, known = self._known
        if time.monotonic() - read_at > KNOWN_SECONDS or not known:
            issuer = self._settings.oidc_issuer
            known = self._read(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if known.get("issuer") != issuer:
                raise ProviderError
            self._known = time.monotonic(), known
        address = known.get(name)
        if not isinstance(address, str):
            raise ProviderError
        _check_address(address)
        return address

    def _read(self, address: str, sent: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object at an address: so much of it, within so much time, from there alone."""
        _check_address(address)
        method = "GET" if sent is None else "POST"
        try:
            with (
                httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client,
                client.stream(method, address, data=sent) as answer,
            ):
                if answer.status_code != 200:
                    raise ProviderError
                body = bytearray()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > ANSWER_BYTES:
                        raise ProviderError
            found = json.loads(bytes(body))
        except (httpx.HTTPError, ValueError, RecursionError):
            raise ProviderError from None
        if not isinstance(found, dict):
            raise ProviderError
        return found

    def _sealed(self, flow: Flow) -> str:
        nonce = os.urandom(12)
        key = self._ring.derived(_PURPOSE)[0]
        sealed = AESGCM(key).encrypt(nonce, json.dumps(flow).encode(), _PURPOSE)
        return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")

    def _opened(self, text: str) -> Flow | None:
        try:
            held = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return None
        for key in self._ring.derived(_PURPOSE):
            try:
                plain = AESGCM(key).decrypt(held[:12], held[12:], _PURPOSE)
            except (InvalidTag, ValueError):
                continue
            flow = Flow(*json.loads(plain))
            return flow if flow.until > time.time() else None
        return None


def _check_address(address: str) -> None:
    """Raise ProviderError for what is neither https nor this machine."""
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ProviderError
