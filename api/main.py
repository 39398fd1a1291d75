"""Builds the FastAPI application from the settings, the rulebooks and the store."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.admin import routes as admin
from api.audit import routes as audit
from api.auth.external_tokens import Trust
from api.auth.jwks_cache import KeySets
from api.batches import routes as batches
from api.cds_hooks import routes as cds_hooks
from api.contract.specification import describe
from api.deliveries import routes as deliveries
from api.desk import routes as desk
from api.desk.oidc_login import Provider
from api.documents.render_pool import Renderer
from api.fhir import routes as fhir
from api.fhir.elements import FHIR_JSON
from api.fhir.resources.operation_outcome import outcome_of_problem
from api.forms import routes as forms
from api.http.cors import Origins
from api.http.middleware import Edge, ErrorFormat
from api.http.rate_limit import RateLimiter
from api.oauth import routes as oauth
from api.patients import routes as patients
from api.problems import Problem, answer_http_error, answer_problem, answer_wrong_shape
from api.score import routes as score
from api.screenings import routes as screenings
from api.security.access_tokens import AccessTokens
from api.settings import Settings
from api.store.operations.denied_requests import Refusals
from api.store.operations.startup import open_store
from api.store.store import Store
from api.system import routes as system
from api.web import routes as web
from api.web.csrf import Forgery
from scoring.catalogue import Catalogue, catalogue

DESCRIPTION = (
    "Scores a structured pain intake by a transparent, weighted, rule-based rulebook: how far the "
    "answers point to nociplastic pain, with a reason, a source and a grade of evidence for every "
    "point. Red flags come first; an unanswered question is never a no; what speaks against is "
    "shown. Decision support for clinicians, not a diagnosis."
)


class Service(FastAPI):
    """A FastAPI application with a completed OpenAPI document."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, built on the first call."""
        if self.openapi_schema is None:
            self.openapi_schema = describe(self)
        return self.openapi_schema


@asynccontextmanager
async def _close_at_shutdown(app: FastAPI) -> AsyncIterator[None]:
    """End the rendering processes and flush the denied requests when the server stops."""
    yield
    app.state.renderer.close()
    await to_thread(app.state.refusals.flush)


def create_app(
    settings: Settings | None = None,
    rules: Catalogue | None = None,
    store: Store | None = None,
) -> FastAPI:
    """Return the application, ready to serve. Without `store`, open the one the settings name."""
    settings = settings or Settings()
    rules = rules or catalogue()
    store = store or open_store(settings)
    app = Service(
        title="nociscreen",
        version=version("nociscreen"),
        summary="Clinician-facing screening for nociplastic pain",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_close_at_shutdown,
    )
    app.state.settings = settings
    app.state.catalogue = rules
    app.state.store = store
    app.state.tokens = AccessTokens(settings.issuer, settings.audience, store.signing.find)
    app.state.key_sets = KeySets(store, settings.key_set_seconds)
    app.state.trust = Trust(store, app.state.key_sets)
    app.state.refusals = Refusals(store)
    app.state.limiter = RateLimiter()
    app.state.forgery = Forgery(store.ring)
    app.state.provider = Provider(settings, store.ring) if settings.oidc_issuer else None
    app.state.metrics = store.metrics
    app.state.renderer = Renderer(
        settings.render_workers, settings.render_queue, settings.render_seconds
    )

    for router in _routers(rules):
        app.include_router(router)

    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(RequestValidationError, answer_wrong_shape)
    app.add_exception_handler(HTTPException, answer_http_error)
    app.add_middleware(Origins, origins=settings.hooks_origins)
    app.add_middleware(
        Edge,
        settings=settings,
        metrics=app.state.metrics,
        error_formats=(ErrorFormat("/fhir", FHIR_JSON, outcome_of_problem),),
    )
    return app


def _routers(rules: Catalogue) -> tuple[APIRouter, ...]:
    """Return every router, in the order of the OpenAPI document."""
    return (
        *score.routers(rules),
        *screenings.routers(rules),
        *batches.routers(rules),
        *patients.ROUTERS,
        *deliveries.ROUTERS,
        *audit.ROUTERS,
        *admin.ROUTERS,
        *forms.routers(rules),
        *oauth.ROUTERS,
        *fhir.ROUTERS,
        *cds_hooks.ROUTERS,
        *system.ROUTERS,
        *desk.ROUTERS,
        *web.ROUTERS,
    )
