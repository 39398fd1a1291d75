"""Routes of CDS Hooks, called by trusted EHRs with signed tokens."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request

from api.auth.external_tokens import Hooked, Trust
from api.auth.route_guard import GuardedRoute, bearer
from api.cds_hooks.cards import Chart, cards
from api.cds_hooks.requests import Feedback, Hook, patients
from api.cds_hooks.service_catalogue import in_use, services
from api.dependencies import Acting, Chosen, Rulebooks
from api.http.error_responses import GUARDED, TAKING, refusals
from api.http.request_body import JSON
from api.problems import Problem
from api.security.claims import SKEW_SECONDS
from api.settings import Settings
from api.store.accounts import issuers
from api.store.accounts.callers import Caller
from api.store.forms import form_settings
from api.store.screenings.latest import latest
from api.store.transaction import Transaction
from schemas.base import Frozen


class HookRoute(GuardedRoute):
    """A route that requires an EHR's token, issued for this URL and used only once."""

    scope = "screenings:read"
    takes = JSON

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"openapi_extra": {"security": [{"ehr": []}]}})

    def who(self, request: Request) -> Caller:
        """Return the calling EHR. Raises Problem."""
        trust: Trust = request.app.state.trust
        settings: Settings = request.app.state.settings
        hook_call = trust.by_hook_token(bearer(request), settings.public_url + request.url.path)
        request.state.hooked = hook_call
        return hook_call.caller


class Services(Frozen):
    """The CDS services of this server."""

    services: list[dict[str, Any]]


class Cards(Frozen):
    """CDS cards, the most urgent first."""

    cards: list[dict[str, Any]]


class Thanks(Frozen):
    """An empty response."""


async def _current_hook_call(request: Request) -> Hooked:
    hook_call: Hooked = request.state.hooked
    return hook_call


HookCallDep = Annotated[Hooked, Depends(_current_hook_call)]
ServiceId = Annotated[
    str, Path(alias="service", pattern=r"^[a-z0-9-]{1,60}$", examples=["nociplastic"])
]
router = APIRouter(prefix="/cds-services", tags=["CDS Hooks"], route_class=HookRoute)


@router.get(
    "",
    operation_id="discover_services",
    responses=refusals(*GUARDED),
    summary="List CDS services",
)
def discover_services(acts: Acting, hook_call: HookCallDep, rulebooks: Rulebooks) -> Services:
    """List one service per instrument with an active rulebook."""
    with acts.transaction() as work:
        _use_token_once(work, hook_call)
        work.audit("list", "service")
    return Services(services=list(services(rulebooks)))


@router.post(
    "/{service}",
    operation_id="call_service",
    responses=refusals(*TAKING, 404, 412),
    summary="Call a CDS service",
)
def call_service(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    service: ServiceId,
    hook: Hook,
    *,
    acts: Acting,
    hook_call: HookCallDep,
    rulebooks: Rulebooks,
    settings: Chosen,
) -> Cards:
    """Return cards for the latest screening, red flags first, or for a due questionnaire.

    The patient is looked up by the identifiers of the prefetched Patient, in the EHR's organisation
    only. Nothing is scored, and no card is a diagnosis.
    """
    newest = in_use(rulebooks).get(service)
    if newest is None:
        raise Problem("not_found")
    identifiers = patients(hook, hook_call.issuer.terms.patient_system)
    instrument = newest.rulebook.rulebook.instrument
    with acts.transaction() as work:
        _use_token_once(work, hook_call)
        screening = latest(work, identifiers, instrument)
        days = form_settings.own(work).ask_again_days
        work.audit("read", "screening", screening.id if screening else "")
    chart = Chart(hook.context.patientId, newest, days, settings.public_url, work.now)
    version = screening.assessment.rulebook.partition("@")[2] if screening else ""
    scored_by = rulebooks.any_status(instrument, version) if screening else None
    return Cards(cards=cards(chart, screening, scored_by))


@router.post(
    "/{service}/feedback",
    operation_id="tell_feedback",
    responses=refusals(*TAKING, 404),
    summary="Receive card feedback",
)
def tell_feedback(
    service: ServiceId,
    feedback: Feedback,
    acts: Acting,
    hook_call: HookCallDep,
    rulebooks: Rulebooks,
) -> Thanks:
    """Record in the audit trail if a card was accepted or overridden. Reasons are not stored."""
    if service not in in_use(rulebooks):
        raise Problem("not_found")
    with acts.transaction() as work:
        _use_token_once(work, hook_call)
        for card_feedback in feedback.feedback:
            work.audit("answer", "card", card_feedback.card.lower(), outcome=card_feedback.outcome)
    return Thanks()


def _use_token_once(work: Transaction, hook_call: Hooked) -> None:
    """Refuse a token that was used before."""
    issuers.use_token(work, hook_call.issuer.id, hook_call.jti, hook_call.expires_at, SKEW_SECONDS)
