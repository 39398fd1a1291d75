"""Signs in at an OpenID Connect provider, by the authorization code flow with PKCE.

The secrets of a login are stored only in the browser, encrypted, for ten minutes.
"""

import secrets
import time
from collections.abc import Mapping

from api.auth.oidc_client import (
    LoginNotRenewedError,
    LoginSecrets,
    OidcClient,
    OidcProviderError,
)
from api.auth.services import LoginPurpose, ProviderLogin
from api.desk.access.sealed_values import seal_value, unseal_value
from api.outbound.bulkhead import Bulkhead
from api.problems import Problem
from api.settings import Settings
from api.store.key_ring import KeyRing

FLOW_SECONDS = 600
RETURN_PATH = "/sign-in/provider/return"
_PURPOSE = b"login at a provider"


class OidcLogin:
    """Logins at the provider named in the settings."""

    def __init__(self, settings: Settings, ring: KeyRing, bulkhead: Bulkhead) -> None:
        self._issuer = settings.oidc_issuer
        self._client = OidcClient(settings, f"{settings.public_url}{RETURN_PATH}", bulkhead)
        self._ring = ring

    def start_login(self, purpose: LoginPurpose) -> tuple[str, str]:
        """Return the provider's URL and the encrypted flow. Raises Problem `unavailable`."""
        state, nonce, verifier = (secrets.token_urlsafe(size) for size in (32, 32, 48))
        renewed_since = int(time.time()) if purpose.ended_session else None
        login_secrets = LoginSecrets(state, nonce, verifier, renewed_since)
        try:
            url = self._client.build_authorization_url(login_secrets)
        except OidcProviderError:
            raise Problem("unavailable", headers={"Retry-After": "30"}) from None
        return url, seal_value(self._ring, _PURPOSE, [login_secrets, purpose], FLOW_SECONDS)

    def finish_login(self, cookie: str, response: Mapping[str, str]) -> ProviderLogin:
        """Verify the provider's response to the flow in the cookie."""
        value = unseal_value(self._ring, _PURPOSE, cookie)
        if not value:
            return ProviderLogin()
        login_secrets, purpose = LoginSecrets(*value[0]), LoginPurpose(*value[1])
        if not secrets.compare_digest(
            response.get("state", "").encode(), login_secrets.state.encode()
        ):
            return ProviderLogin()
        if response.get("iss", self._issuer) != self._issuer or not response.get("code"):
            return ProviderLogin(purpose)
        try:
            subject = self._client.redeem_code(response["code"], login_secrets)
        except LoginNotRenewedError:
            return ProviderLogin(purpose, is_renewal_unconfirmed=True)
        except OidcProviderError:
            return ProviderLogin(purpose)
        return ProviderLogin(purpose, subject)
