"""Routes of CDS Hooks, called by trusted EHRs with signed tokens."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import JSONResponse

from api.auth.external_tokens import EhrCall, build_token_problem
from api.auth.route_guard import GuardedRoute, Handler, read_credential
from api.auth.services import find_services
from api.cds_hooks.cards import ChartContext, build_cards
from api.cds_hooks.requests import (
    FeedbackRequest,
    HookRequest,
    find_patient,
    list_patient_identifiers,
)
from api.cds_hooks.service_catalogue import list_active_rulebooks, list_services
from api.dependencies import CatalogueDep, RequestContextDep, SettingsDep
from api.fhir.elements import build_canonical_urls
from api.http.bodies.request_body import JSON
from api.http.errors.error_responses import BODY_ERRORS, GUARDED_ERRORS, error_responses
from api.problems import Problem
from api.security.claims import CLOCK_SKEW_SECONDS
from api.store.accounts import issuers
from api.store.accounts.callers import Caller
from api.store.forms import form_settings
from api.store.screenings.latest_screening import find_latest_screening
from api.store.transaction import Transaction
from schemas.base import FrozenModel
from schemas.patients.screening import Screening


class HookRoute(GuardedRoute):
    """A route that requires an EHR's token, issued for this URL and used only once."""

    scope = "screenings:read"
    body_media_type = JSON

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"openapi_extra": {"security": [{"ehr": []}]}})

    def authenticate(self, request: Request) -> Caller:
        """Return the calling EHR. Raises Problem."""
        trust = find_services(request).external_tokens
        settings = find_services(request).settings
        hook_call = trust.verify_hook_token(
            read_credential(request), settings.public_url + request.url.path
        )
        request.state.hooked = hook_call
        return hook_call.caller


class DiscoveryRoute(HookRoute):
    """The route of discovery, which needs no token where the operator chose so."""

    def get_route_handler(self) -> Handler:
        """Return the handler: open without a token if the settings say so, else guarded."""
        guard = super().get_route_handler()

        async def respond(request: Request) -> Response:
            services = find_services(request)
            is_public = services.settings.cds_hooks_public_discovery
            if is_public and "authorization" not in request.headers:
                entries = list(list_services(services.catalogue))
                return JSONResponse(CdsServiceList(services=entries).model_dump(mode="json"))
            return await guard(request)

        return respond


class CdsServiceList(FrozenModel):
    """The CDS services of this server."""

    services: list[dict[str, Any]]


class CdsCardList(FrozenModel):
    """CDS cards, the most urgent first."""

    cards: list[dict[str, Any]]


class FeedbackResponse(FrozenModel):
    """An empty response."""


async def _current_hook_call(request: Request) -> EhrCall:
    hook_call: EhrCall = request.state.hooked
    return hook_call


HookCallDep = Annotated[EhrCall, Depends(_current_hook_call)]
ServiceId = Annotated[
    str, Path(alias="service", pattern=r"^[a-z0-9-]{1,60}$", examples=["nociplastic"])
]
_PREFIX = "/cds-services"
discovery_router = APIRouter(prefix=_PREFIX, tags=["CDS Hooks"], route_class=DiscoveryRoute)
router = APIRouter(prefix=_PREFIX, tags=["CDS Hooks"], route_class=HookRoute)


@discovery_router.get(
    "",
    operation_id="discover_services",
    responses=error_responses(*GUARDED_ERRORS),
    summary="List CDS services",
)
def discover_services(
    acts: RequestContextDep, hook_call: HookCallDep, rulebooks: CatalogueDep
) -> CdsServiceList:
    """List one service per instrument with an active rulebook."""
    with acts.transaction() as work:
        _use_token_once(work, hook_call)
        work.audit("list", "service")
    return CdsServiceList(services=list(list_services(rulebooks)))


@router.post(
    "/{service}",
    operation_id="call_service",
    responses=error_responses(*BODY_ERRORS, 404, 412),
    summary="Call a CDS service",
)
def call_service(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    service: ServiceId,
    hook: HookRequest,
    *,
    request: Request,
    acts: RequestContextDep,
    hook_call: HookCallDep,
    rulebooks: CatalogueDep,
    settings: SettingsDep,
) -> CdsCardList:
    """Return cards for the latest screening, red flags first, or for a due questionnaire.

    The patient is looked up by the identifiers of the Patient, which was prefetched or is read at
    the EHR, in the EHR's organisation only. Nothing is scored, and no card is a diagnosis.
    """
    newest = list_active_rulebooks(rulebooks).get(service)
    if newest is None:
        raise Problem("not_found")
    terms, organisation = hook_call.issuer.terms, hook_call.issuer.organisation
    patient = find_patient(hook, find_services(request).ehr_client, organisation)
    identifiers = list_patient_identifiers(hook, patient, terms.patient_system)
    instrument = newest.rulebook.rulebook.instrument

    def look_up(work: Transaction) -> tuple[Screening | None, int, datetime]:
        _use_token_once(work, hook_call)
        screening = find_latest_screening(work, identifiers, instrument)
        days = form_settings.load_form_settings(work).ask_again_days
        work.audit("read", "screening", screening.id if screening else "")
        return screening, days, work.now

    screening, days, now = acts.run_with_others(look_up)
    urls = build_canonical_urls(settings.public_url, find_services(request).store.canonical_bases)
    chart = ChartContext(hook.context.patientId, newest, days, urls, now)
    scored_by = rulebooks.find_version(screening.assessment.rulebook) if screening else None
    return CdsCardList(cards=build_cards(chart, screening, scored_by))


@router.post(
    "/{service}/feedback",
    operation_id="receive_feedback",
    responses=error_responses(*BODY_ERRORS, 404),
    summary="Receive card feedback",
)
def receive_feedback(
    service: ServiceId,
    feedback: FeedbackRequest,
    acts: RequestContextDep,
    hook_call: HookCallDep,
    rulebooks: CatalogueDep,
) -> FeedbackResponse:
    """Record in the audit whether a card was accepted or overridden. Reasons are not stored."""
    if service not in list_active_rulebooks(rulebooks):
        raise Problem("not_found")
    with acts.transaction() as work:
        _use_token_once(work, hook_call)
        for card_feedback in feedback.feedback:
            work.audit("answer", "card", card_feedback.card.lower(), outcome=card_feedback.outcome)
    return FeedbackResponse()


def _use_token_once(work: Transaction, hook_call: EhrCall) -> None:
    """Refuse a token that was used before."""
    if not issuers.consume_token(
        work, hook_call.issuer.id, hook_call.jti, hook_call.expires_at, CLOCK_SKEW_SECONDS
    ):
        raise build_token_problem("replayed")
