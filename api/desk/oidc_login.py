"""Sign in at an OpenID Connect provider, by the authorization code flow with PKCE.

State, nonce and verifier of a login are stored only in the browser, encrypted, for ten minutes.
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
from api.security.id_tokens import verify_id_token
from api.security.signatures import InvalidTokenError
from api.settings import Settings
from api.store.key_ring import KeyRing

FLOW_SECONDS = 600
DISCOVERY_SECONDS = 3600
MAX_RESPONSE_BYTES = 256 * 1024
TIMEOUT_SECONDS = 10
RETURN_PATH = "/sign-in/provider/return"
_PURPOSE = b"sign-in at a provider"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class OidcFlow(NamedTuple):
    """One login in progress, with the secret of the invitation it accepts, if any."""

    state: str
    nonce: str
    verifier: str
    invitation: str
    expires_at: int


class OidcProviderError(Exception):
    """The provider cannot be reached or sends an invalid response."""


class OidcProvider:
    """The OpenID Connect provider named in the settings."""

    def __init__(self, settings: Settings, ring: KeyRing) -> None:
        self._settings = settings
        self._ring = ring
        self._discovery: tuple[float, dict[str, Any]] = (0.0, {})

    def start_login(self, invitation: str = "") -> tuple[str, str]:
        """Return the URL to redirect to and the encrypted flow for the browser's cookie.

        Raises Problem `unavailable` if the provider cannot be reached.
        """
        flow = OidcFlow(
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(32),
            secrets.token_urlsafe(48),
            invitation,
            int(time.time()) + FLOW_SECONDS,
        )
        challenge = hashlib.sha256(flow.verifier.encode()).digest()
        parameters = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self._return_url,
            "scope": "openid",
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        try:
            endpoint = self._find_endpoint("authorization_endpoint")
        except OidcProviderError:
            raise Problem("unavailable", headers={"Retry-After": "30"}) from None
        separator = "&" if "?" in endpoint else "?"
        return f"{endpoint}{separator}{urlencode(parameters)}", self._encrypt_flow(flow)

    def finish_login(self, cookie: str, response: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the subject and the invitation it accepts, or None for an invalid response."""
        flow = self._decrypt_flow(cookie)
        if flow is None or not secrets.compare_digest(
            response.get("state", "").encode(), flow.state.encode()
        ):
            return None
        if response.get("iss", self._settings.oidc_issuer) != self._settings.oidc_issuer:
            return None
        if not response.get("code"):
            return None
        try:
            token = self._redeem_code(response["code"], flow.verifier)
            keys = self._fetch_json(self._find_endpoint("jwks_uri"))
            subject = verify_id_token(
                token,
                keys=keys,
                issuer=self._settings.oidc_issuer,
                client=self._settings.oidc_client_id,
                nonce=flow.nonce,
            )
        except (OidcProviderError, InvalidTokenError):
            return None
        return subject, flow.invitation

    @property
    def _return_url(self) -> str:
        return f"{self._settings.public_url}{RETURN_PATH}"

    def _redeem_code(self, code: str, verifier: str) -> str:
        secret = self._settings.oidc_client_secret
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._return_url,
            "client_id": self._settings.oidc_client_id,
            "code_verifier": verifier,
        } | ({"client_secret": secret.get_secret_value()} if secret else {})
        token = self._fetch_json(self._find_endpoint("token_endpoint"), form).get("id_token")
        if not isinstance(token, str):
            raise OidcProviderError
        return token

    def _find_endpoint(self, name: str) -> str:
        """Return a URL of the provider's discovery document, which is cached for an hour."""
        fetched_at, document = self._discovery
        if time.monotonic() - fetched_at > DISCOVERY_SECONDS or not document:
            issuer = self._settings.oidc_issuer
            document = self._fetch_json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != issuer:
                raise OidcProviderError
            self._discovery = time.monotonic(), document
        url = document.get(name)
        if not isinstance(url, str):
            raise OidcProviderError
        _require_secure_url(url)
        return url

    def _fetch_json(self, url: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Fetch a JSON object within limits of size and time, without following redirects."""
        _require_secure_url(url)
        method = "GET" if form is None else "POST"
        try:
            with (
                httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client,
                client.stream(method, url, data=form) as response,
            ):
                if response.status_code != 200:
                    raise OidcProviderError
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_RESPONSE_BYTES:
                        raise OidcProviderError
            document = json.loads(bytes(body))
        except (httpx.HTTPError, ValueError, RecursionError):
            raise OidcProviderError from None
        if not isinstance(document, dict):
            raise OidcProviderError
        return document

    def _encrypt_flow(self, flow: OidcFlow) -> str:
        nonce = os.urandom(12)
        key = self._ring.derive_keys(_PURPOSE)[0]
        ciphertext = AESGCM(key).encrypt(nonce, json.dumps(flow).encode(), _PURPOSE)
        return base64.urlsafe_b64encode(nonce + ciphertext).decode().rstrip("=")

    def _decrypt_flow(self, text: str) -> OidcFlow | None:
        try:
            encrypted = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return None
        for key in self._ring.derive_keys(_PURPOSE):
            try:
                plaintext = AESGCM(key).decrypt(encrypted[:12], encrypted[12:], _PURPOSE)
            except (InvalidTag, ValueError):
                continue
            flow = OidcFlow(*json.loads(plaintext))
            return flow if flow.expires_at > time.time() else None
        return None


def _require_secure_url(url: str) -> None:
    """Raise ProviderError unless the URL uses https or points to this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise OidcProviderError
