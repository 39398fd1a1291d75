"""The application: settings in, a FastAPI application out. Reads as a table of contents."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.describe import describe
from api.desk.provider import Provider
from api.edge import Edge
from api.forms.forgery import Forgery
from api.key_sets import KeySets
from api.limits import RateLimiter
from api.origins import Origins
from api.problems import Problem, answer_http_error, answer_problem, answer_wrong_shape
from api.rendering import Renderer
from api.routes import (
    audit,
    batch_reports,
    batch_results,
    batches,
    cds_hooks,
    clients,
    credentials,
    deliveries,
    desk_account,
    desk_answers,
    desk_forms,
    desk_links,
    desk_screenings,
    destinations,
    fhir_audit,
    fhir_definitions,
    fhir_documents,
    fhir_operations,
    fhir_response_reading,
    fhir_responses,
    fhir_results,
    form_settings,
    forms_intake,
    health,
    links,
    metrics,
    oauth,
    organisation,
    patients,
    practitioners,
    problem_types,
    provider,
    rulebooks,
    score,
    score_many,
    screening_list,
    screening_marks,
    screening_reports,
    screenings,
    sign_in,
    smart,
    static,
    verification,
)
from api.security.access import AccessTokens
from api.settings import Settings
from api.store.opening import open_store
from api.store.refusals import Refusals
from api.store.store import Store
from api.trusting import Trust
from scoring.catalogue import Catalogue, catalogue

DESCRIPTION = (
    "Scores a structured pain intake by a transparent, weighted, rule-based rulebook: how far the "
    "answers point to nociplastic pain, with a reason, a source and a grade of evidence for every "
    "point. Red flags come first; an unanswered question is never a no; what speaks against is "
    "shown. Decision support for clinicians, not a diagnosis."
)


class Service(FastAPI):
    """FastAPI with our own description of the API."""

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = describe(self)
        return self.openapi_schema


@asynccontextmanager
async def _in_use(app: FastAPI) -> AsyncIterator[None]:
    """While it is served. Then its processes are ended, and what was counted is told."""
    yield
    app.state.renderer.close()
    await to_thread(app.state.refusals.flush)


def create_app(
    settings: Settings | None = None,
    rules: Catalogue | None = None,
    store: Store | None = None,
) -> FastAPI:
    """The service, ready to be served, on the store that the settings name or this one."""
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
        lifespan=_in_use,
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

    for router in _contents(rules):
        app.include_router(router)

    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(RequestValidationError, answer_wrong_shape)
    app.add_exception_handler(HTTPException, answer_http_error)
    app.add_middleware(Origins, origins=settings.hooks_origins)
    app.add_middleware(Edge, settings=settings, metrics=app.state.metrics)
    return app


def _contents(rules: Catalogue) -> tuple[APIRouter, ...]:
    """Everything that is served, in the order of its description."""
    return (
        score.router(rules),
        score_many.router(rules),
        screening_list.router,
        batches.router(rules),
        batch_results.router,
        batch_reports.router,
        screenings.router(rules),
        screening_marks.router,
        screening_reports.router,
        verification.router,
        patients.router,
        deliveries.writing,
        deliveries.reading,
        destinations.router,
        audit.router,
        organisation.router,
        clients.router,
        credentials.router,
        practitioners.router,
        form_settings.router,
        links.router,
        oauth.router,
        rulebooks.router,
        smart.router,
        fhir_definitions.router,
        fhir_operations.SENT,
        fhir_operations.KEPT,
        fhir_operations.PRINTED,
        fhir_response_reading.router,
        fhir_responses.router,
        fhir_results.router,
        fhir_documents.router,
        fhir_audit.router,
        cds_hooks.router,
        health.router,
        metrics.router,
        problem_types.router,
        forms_intake.router(rules),
        sign_in.router,
        provider.router,
        desk_screenings.router,
        desk_answers.router,
        desk_account.router,
        desk_links.router,
        desk_forms.router,
        static.router,
    )
