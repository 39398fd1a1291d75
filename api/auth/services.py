"""The parts of the application that its requests share, built once by `api.main`."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from fastapi import FastAPI, Request

from api.auth.ehr_client import EhrClient
from api.auth.external_tokens import ExternalTokenVerifier
from api.auth.jwks_cache import JwksCache
from api.http.rate_limit import RateLimiter
from api.observability.metrics import Metrics
from api.observability.traces import RequestTraces
from api.outbound.bulkhead import Bulkhead
from api.security.tokens.access_tokens import AccessTokens
from api.settings import Settings
from api.store.operations.denied_requests import DeniedRequestLog
from api.store.store import Store
from reports.blocks import Document
from scoring.catalogue import Catalogue


class PdfRenderer(Protocol):
    """Renders documents to PDF, up to `workers` at once."""

    workers: int

    def render(self, document: Document, meter: Callable[[float], None] = ...) -> bytes:
        """Return the PDF of the document, and tell `meter` the seconds that it took."""

    def close(self) -> None:
        """End the processes of the renderer."""


class LoginPurpose(NamedTuple):
    """What follows a login at the provider: a session, unless a member says something else."""

    invitation: str = ""
    """The secret of the invitation to accept."""
    ended_session: str = ""
    """The session of the practitioner to end, or `others`; the login must be new."""


class ProviderLogin(NamedTuple):
    """A response of the provider; without a subject, the login failed."""

    purpose: LoginPurpose = LoginPurpose()
    subject: str = ""
    is_renewal_unconfirmed: bool = False
    """The provider does not say that the practitioner logged in again."""


class LoginProvider(Protocol):
    """An identity provider at which practitioners sign in."""

    def start_login(self, purpose: LoginPurpose) -> tuple[str, str]:
        """Return the URL to redirect to and the encrypted flow for the browser's cookie."""

    def finish_login(self, cookie: str, response: Mapping[str, str]) -> ProviderLogin:
        """Verify the response and return the login."""


@dataclass(frozen=True, slots=True)
class Services:
    """Every shared part, by its type; what the settings do not name is None."""

    settings: Settings
    catalogue: Catalogue
    store: Store
    access_tokens: AccessTokens
    jwks_cache: JwksCache
    external_tokens: ExternalTokenVerifier
    ehr_client: EhrClient
    bulkhead: Bulkhead
    denied_requests: DeniedRequestLog
    rate_limiter: RateLimiter
    metrics: Metrics
    renderer: PdfRenderer
    oidc_provider: LoginProvider | None
    traces: RequestTraces | None
    uploads: Counter[str] = field(default_factory=Counter)
    """The batch files that are being sent, by organisation."""


def find_services(request: Request) -> Services:
    """Return the services of the application that received the request."""
    return find_app_services(request.app)


def find_app_services(app: FastAPI) -> Services:
    """Return the services of the application."""
    services: Services = app.state.services
    return services
