"""The client of an OpenID Connect provider: discovery, code redemption and ID tokens.

The issuer's own host may have a private address, as the operator has chosen it. Other hosts that
the provider names must be public. Plain HTTP is for loopback only.
"""

import hashlib
import threading
import time
from typing import Any, NamedTuple
from urllib.parse import urlencode

from api.outbound.allowlist import AllowedHost, TargetUrl, parse_target_url
from api.outbound.bulkhead import Bulkhead, BulkheadFullError
from api.outbound.connection import ConnectionPolicy
from api.outbound.errors import OutboundError
from api.outbound.http_client import HTTP_SCHEMES, OutboundRequest, send_request
from api.security.base64url import encode_base64url
from api.security.jwks import parse_jwks
from api.security.signatures import InvalidTokenError
from api.security.strict_json import decode_json
from api.security.tokens.id_tokens import StaleLoginError, verify_id_token
from api.settings import Settings
from api.store.locks import FairLock

DISCOVERY_SECONDS = 3600
MAX_RESPONSE_BYTES = 256 * 1024
DEADLINE_SECONDS = 10.0
FAILURE_SECONDS = 10.0
"""How long a failed discovery is remembered: until then no login waits for the provider."""

_LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")


class OidcProviderError(Exception):
    """The provider can't be reached, or its response is invalid."""


class LoginNotRenewedError(OidcProviderError):
    """The provider does not confirm that the practitioner logged in again."""


class LoginSecrets(NamedTuple):
    """The state, nonce and PKCE code verifier of one login.

    With `renewed_since` (Unix time) the practitioner must log in again, and not before it.
    """

    state: str
    nonce: str
    code_verifier: str
    renewed_since: int | None = None


class OidcClient:
    """The client registered at the provider in the settings. Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        redirect_uri: str,
        bulkhead: Bulkhead,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._settings = settings
        self._bulkhead = bulkhead
        self._redirect_uri = redirect_uri
        self._deadline_seconds = deadline_seconds
        self._discovery: tuple[float, dict[str, Any]] = (0.0, {})
        self._failed_at = float("-inf")
        self._lock = threading.Lock()
        self._discovery_turn = FairLock()

    def build_authorization_url(self, login: LoginSecrets) -> str:
        """Return the URL that starts a login. Raises OidcProviderError."""
        challenge = hashlib.sha256(login.code_verifier.encode()).digest()
        parameters = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self._redirect_uri,
            "scope": "openid",
            "state": login.state,
            "nonce": login.nonce,
            "code_challenge": encode_base64url(challenge),
            "code_challenge_method": "S256",
        }
        if self._settings.oidc_acr_values:
            parameters["acr_values"] = self._settings.oidc_acr_values
        if login.renewed_since is not None:
            parameters |= {"prompt": "login", "max_age": "0"}
        endpoint = self._find_endpoint("authorization_endpoint")
        separator = "&" if "?" in endpoint else "?"
        return f"{endpoint}{separator}{urlencode(parameters)}"

    def redeem_code(self, code: str, login: LoginSecrets) -> str:
        """Redeem an authorization code and return the subject.

        Raises OidcProviderError, or LoginNotRenewedError.
        """
        try:
            with self._bulkhead.enter(self._settings.oidc_issuer):
                return self._redeem_code(code, login)
        except BulkheadFullError:
            raise OidcProviderError from None

    def _redeem_code(self, code: str, login: LoginSecrets) -> str:
        secret = self._settings.oidc_client_secret
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "client_id": self._settings.oidc_client_id,
            "code_verifier": login.code_verifier,
        } | ({"client_secret": secret.get_secret_value()} if secret else {})
        ends_at = time.monotonic() + self._deadline_seconds
        endpoint = self._find_endpoint("token_endpoint")
        token = self._fetch_object(endpoint, form, ends_at).get("id_token")
        if not isinstance(token, str):
            raise OidcProviderError
        try:
            return verify_id_token(
                token,
                keys=parse_jwks(self._fetch_object(self._find_endpoint("jwks_uri"), None, ends_at)),
                issuer=self._settings.oidc_issuer,
                client=self._settings.oidc_client_id,
                nonce=login.nonce,
                acr_values=self._settings.oidc_acr_values.split(),
                logged_in_since=login.renewed_since,
            ).subject
        except StaleLoginError:
            raise LoginNotRenewedError from None
        except (ValueError, InvalidTokenError):
            raise OidcProviderError from None

    def _find_endpoint(self, name: str) -> str:
        """Return a URL of the provider's discovery document, which is cached for an hour."""
        document = self._find_discovery() or self._discover_in_turn()
        url = document.get(name)
        if not isinstance(url, str):
            raise OidcProviderError
        _parse_secure_url(url)
        return url

    def _find_discovery(self) -> dict[str, Any] | None:
        """Return the cached document. Raises OidcProviderError shortly after a failed fetch."""
        now = time.monotonic()
        with self._lock:
            fetched_at, document = self._discovery
            has_failed = now - self._failed_at < FAILURE_SECONDS
        if document and now - fetched_at <= DISCOVERY_SECONDS:
            return document
        if has_failed:
            raise OidcProviderError
        return None

    def _discover_in_turn(self) -> dict[str, Any]:
        """Fetch the document, one thread at a time: the others wait for its outcome."""
        try:
            with (
                self._bulkhead.enter(f"discovery of {self._settings.oidc_issuer}"),
                self._discovery_turn.acquire(self._deadline_seconds + 1),
            ):
                return self._find_discovery() or self._discover()
        except (BulkheadFullError, TimeoutError):
            raise OidcProviderError from None

    def _discover(self) -> dict[str, Any]:
        try:
            document = self._fetch_discovery()
        except OidcProviderError:
            with self._lock:
                self._failed_at = time.monotonic()
            raise
        with self._lock:
            self._discovery = time.monotonic(), document
        return document

    def _fetch_discovery(self) -> dict[str, Any]:
        issuer = self._settings.oidc_issuer
        document = self._fetch_object(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != issuer:
            raise OidcProviderError
        return document

    def _fetch_object(
        self, url: str, form: dict[str, str] | None = None, ends_at: float | None = None
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json"}
        request = OutboundRequest("GET", url, headers)
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            request = OutboundRequest("POST", url, headers, urlencode(form).encode())
        try:
            policy = self._build_policy(url)._replace(ends_at=ends_at)
            response = send_request(request, policy, MAX_RESPONSE_BYTES)
            document = decode_json(response.content)
        except (OutboundError, ValueError):
            raise OidcProviderError from None
        if response.status != 200 or not isinstance(document, dict):
            raise OidcProviderError
        return document

    def _build_policy(self, url: str) -> ConnectionPolicy:
        """Allow the URL's host alone, at a private address only if it is the issuer's."""
        host_port = _parse_secure_url(url).host_port
        issuer = _parse_secure_url(self._settings.oidc_issuer).host_port
        allowed_host = AllowedHost(host_port, host_port.host == issuer.host)
        return ConnectionPolicy((allowed_host,), self._deadline_seconds)


def _parse_secure_url(url: str) -> TargetUrl:
    """Parse a URL. Raises OidcProviderError unless it uses HTTPS or points to this machine."""
    try:
        target = parse_target_url(url, HTTP_SCHEMES)
    except ValueError:
        raise OidcProviderError from None
    if not (target.uses_tls or target.host_port.host in _LOOPBACK_HOSTS):
        raise OidcProviderError
    return target
