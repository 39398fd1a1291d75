"""Signs in at an OpenID Connect provider, by the authorization code flow with PKCE.

The secrets of a login are stored only in the browser, encrypted, for ten minutes.
"""

import secrets
from collections.abc import Mapping
from typing import NamedTuple

from api.auth.oidc_client import LoginSecrets, OidcClient, OidcProviderError
from api.desk.access.sealed_values import seal_value, unseal_value
from api.outbound.bulkhead import Bulkhead
from api.problems import Problem
from api.settings import Settings
from api.store.key_ring import KeyRing

FLOW_SECONDS = 600
RETURN_PATH = "/sign-in/provider/return"
_PURPOSE = b"sign-in at a provider"


class OidcFlow(NamedTuple):
    """One login in progress, with the secret of the invitation it accepts, if any."""

    state: str
    nonce: str
    verifier: str
    invitation: str

    @property
    def login_secrets(self) -> LoginSecrets:
        """The secrets that the provider's responses are checked against."""
        return LoginSecrets(self.state, self.nonce, self.verifier)


class OidcLogin:
    """Logins at the provider named in the settings."""

    def __init__(self, settings: Settings, ring: KeyRing, bulkhead: Bulkhead) -> None:
        self._issuer = settings.oidc_issuer
        self._client = OidcClient(settings, f"{settings.public_url}{RETURN_PATH}", bulkhead)
        self._ring = ring

    def start_login(self, invitation: str = "") -> tuple[str, str]:
        """Return the provider's URL and the encrypted flow. Raises Problem `unavailable`."""
        state, nonce, verifier = (secrets.token_urlsafe(size) for size in (32, 32, 48))
        flow = OidcFlow(state, nonce, verifier, invitation)
        try:
            url = self._client.build_authorization_url(flow.login_secrets)
        except OidcProviderError:
            raise Problem("unavailable", headers={"Retry-After": "30"}) from None
        return url, seal_value(self._ring, _PURPOSE, list(flow), FLOW_SECONDS)

    def finish_login(self, cookie: str, response: Mapping[str, str]) -> tuple[str, str] | None:
        """Return the subject and the invitation it accepts, or None for an invalid response."""
        value = unseal_value(self._ring, _PURPOSE, cookie)
        flow = OidcFlow(*value) if value else None
        if flow is None or not secrets.compare_digest(
            response.get("state", "").encode(), flow.state.encode()
        ):
            return None
        if response.get("iss", self._issuer) != self._issuer or not response.get("code"):
            return None
        try:
            subject = self._client.redeem_code(response["code"], flow.login_secrets)
        except OidcProviderError:
            return None
        return subject, flow.invitation
