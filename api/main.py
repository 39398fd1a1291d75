"""Builds the FastAPI application from the settings, the rulebooks and the store."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException

from api.admin import routes as admin
from api.audit import routes as audit
from api.auth.ehr_client import EhrClient
from api.auth.external_tokens import ExternalTokenVerifier
from api.auth.jwks_cache import JwksCache
from api.auth.services import Services, find_app_services
from api.batches import routes as batches
from api.cds_hooks import routes as cds_hooks
from api.contract.specification import build_openapi
from api.deliveries import routes as deliveries
from api.desk import routes as desk
from api.desk.access.oidc_login import OidcLogin
from api.documents.render_pool import RendererPool
from api.fhir import routes as fhir
from api.fhir.elements import FHIR_JSON
from api.fhir.resources.operation_outcome import convert_problem
from api.forms import routes as forms
from api.http.bodies.compression import JsonCompression
from api.http.cors import CrossOriginMiddleware
from api.http.errors import problem_responses
from api.http.errors.error_conversion import respond_to_store_error
from api.http.exact_paths import ExactPaths
from api.http.middleware import ErrorFormat, RequestMiddleware
from api.http.rate_limit import RateLimiter
from api.inbound import routes as inbound
from api.oauth import routes as oauth
from api.observability.traces import open_traces
from api.outbound.bulkhead import Bulkhead
from api.patients import routes as patients
from api.problems import Problem
from api.score import routes as score
from api.screenings import routes as screenings
from api.security.tokens.access_tokens import AccessTokens
from api.settings import Settings
from api.store.errors import StoreError
from api.store.operations.backlog import read_backlog
from api.store.operations.denied_requests import DeniedRequestLog
from api.store.operations.startup import open_store
from api.store.store import Store
from api.system import routes as system
from api.web import routes as web
from api.web.base_path import BasePath
from scoring.catalogue import Catalogue, load_catalogue

DESCRIPTION = (
    "Scores a structured pain intake by a transparent, weighted, rule-based rulebook: how far the "
    "answers point to nociplastic pain, with a reason, a source and a grade of evidence for every "
    "point. Red flags come first; an unanswered question is never a no; evidence against it is "
    "shown. Decision support for clinicians, not a diagnosis."
)

BUSY_OPERATIONS = (
    ("POST", "/v1/score"),
    ("POST", "/v1/screenings"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
)
"""The operations that are found by their path alone."""

NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI's own would send addresses with patients' numbers, faulty values and tracebacks."""


class Service(FastAPI):
    """A FastAPI application with its services and a completed OpenAPI document."""

    @property
    def services(self) -> Services:
        """The parts that its requests share."""
        return find_app_services(self)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, built on the first call."""
        if self.openapi_schema is None:
            self.openapi_schema = build_openapi(self)
        return self.openapi_schema


@asynccontextmanager
async def _close_at_shutdown(app: FastAPI) -> AsyncIterator[None]:
    """End the rendering processes, flush denied requests and spans when the server stops."""
    yield
    services = find_app_services(app)
    services.renderer.close()
    await to_thread(services.denied_requests.flush)
    if services.traces:
        await to_thread(services.traces.close)


def create_app(
    settings: Settings | None = None, rules: Catalogue | None = None, store: Store | None = None
) -> Service:
    """Return the application, ready to serve. Without `store`, open the one the settings name."""
    settings = settings or Settings()
    rules = rules or load_catalogue()
    rules.load_all()
    store = store or open_store(settings, may_be_unsettled=True)
    app = Service(
        title="nociscreen",
        version=version("nociscreen"),
        summary="Clinician-facing screening for nociplastic pain",
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        lifespan=_close_at_shutdown,
    )
    app.state.services = _build_services(settings, rules, store)
    # Not `include_router`, which would analyse each route a second time for this application.
    app.router.routes.extend(route for router in _routers(rules) for route in router.routes)

    app.router.middleware_stack = ExactPaths(app.router, BUSY_OPERATIONS)
    app.add_exception_handler(Problem, problem_responses.respond_to_problem)
    app.add_exception_handler(StoreError, respond_to_store_error)
    app.add_exception_handler(RequestValidationError, problem_responses.respond_to_validation_error)
    app.add_exception_handler(HTTPException, problem_responses.respond_to_http_error)
    app.add_middleware(
        CrossOriginMiddleware,
        hooks_origins=settings.cds_hooks_origins,
        api_origins=settings.api_origins,
    )
    app.add_middleware(JsonCompression)
    app.add_middleware(
        RequestMiddleware,
        settings=settings,
        metrics=store.metrics,
        error_formats=(ErrorFormat("/fhir", FHIR_JSON, convert_problem),),
        traces=app.services.traces,
        is_closed=store.ledger_fault is not None,
    )
    app.add_middleware(BasePath, public_url=settings.public_url)
    return app


def _build_services(settings: Settings, rules: Catalogue, store: Store) -> Services:
    bulkhead = Bulkhead()
    jwks_cache = JwksCache(store, settings.jwks_timeout_seconds, bulkhead)
    renderer = RendererPool(settings.render_workers, settings.render_queue, settings.render_seconds)
    renderer.on_rendered = store.metrics.record_rendering
    store.metrics.track_reports_in_progress(lambda: renderer.in_progress)
    store.metrics.track_backlog(lambda: read_backlog(store, settings.worker_timeout_seconds))
    return Services(
        settings=settings,
        catalogue=rules,
        store=store,
        access_tokens=AccessTokens(
            settings.issuer, settings.audience, store.signing_keys.look_up_trusted_key
        ),
        jwks_cache=jwks_cache,
        external_tokens=ExternalTokenVerifier(store, jwks_cache),
        ehr_client=EhrClient(store, bulkhead),
        bulkhead=bulkhead,
        denied_requests=DeniedRequestLog(store),
        rate_limiter=RateLimiter(),
        metrics=store.metrics,
        renderer=renderer,
        oidc_provider=OidcLogin(settings, store.key_ring, bulkhead)
        if settings.oidc_issuer
        else None,
        traces=open_traces(settings.traces_url),
    )


def _routers(rules: Catalogue) -> tuple[APIRouter, ...]:
    """Return every router, in the order of the OpenAPI document."""
    return (
        *score.build_routers(rules),
        *screenings.build_routers(rules),
        *batches.build_routers(rules),
        *patients.ROUTERS,
        *deliveries.ROUTERS,
        *audit.ROUTERS,
        *admin.ROUTERS,
        *forms.ROUTERS,
        *inbound.ROUTERS,
        *oauth.ROUTERS,
        *fhir.ROUTERS,
        *cds_hooks.ROUTERS,
        *system.ROUTERS,
        *desk.ROUTERS,
        *web.ROUTERS,
    )
