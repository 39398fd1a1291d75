"""CDS Hooks: cards beside a patient's chart, for EHRs that are trusted, each by its own token."""

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
    """A route behind the token of an EHR, made for this very address and used once."""

    scope = "screenings:read"
    takes = JSON

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"openapi_extra": {"security": [{"ehr": []}]}})

    def who(self, request: Request) -> Caller:
        """The EHR that calls. Raises Problem."""
        trust: Trust = request.app.state.trust
        settings: Settings = request.app.state.settings
        hooked = trust.by_hook_token(bearer(request), settings.public_url + request.url.path)
        request.state.hooked = hooked
        return hooked.caller


class Services(Frozen):
    """The services of this server, as CDS Hooks 2.0 has them."""

    services: list[dict[str, Any]]


class Cards(Frozen):
    """What is told beside the chart, the most urgent first."""

    cards: list[dict[str, Any]]


class Thanks(Frozen):
    """Nothing more to say."""


async def _hooked(request: Request) -> Hooked:
    held: Hooked = request.state.hooked
    return held


Calling = Annotated[Hooked, Depends(_hooked)]
ServiceId = Annotated[
    str, Path(alias="service", pattern=r"^[a-z0-9-]{1,60}$", examples=["nociplastic"])
]
router = APIRouter(prefix="/cds-services", tags=["CDS Hooks"], route_class=HookRoute)


@router.get(
    "",
    operation_id="discover_services",
    responses=refusals(*GUARDED),
    summary="What EHRs can call",
)
def discover_services(acts: Acting, hooked: Calling, rulebooks: Rulebooks) -> Services:
    """One service for each instrument in use."""
    with acts.transaction() as work:
        _use(work, hooked)
        work.audit("list", "service")
    return Services(services=list(services(rulebooks)))


@router.post(
    "/{service}",
    operation_id="call_service",
    responses=refusals(*TAKING, 404, 412),
    summary="Cards for a chart",
)
def call_service(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    service: ServiceId,
    hook: Hook,
    *,
    acts: Acting,
    hooked: Calling,
    rulebooks: Rulebooks,
    settings: Chosen,
) -> Cards:
    """The latest screening with its red flags first, or that the questionnaire is due.

    The patient is found by the identifiers of the prefetched Patient, in the organisation that the
    EHR belongs to and nowhere else. Nothing is scored, and nothing is a diagnosis.
    """
    newest = in_use(rulebooks).get(service)
    if newest is None:
        raise Problem("not_found")
    numbers = patients(hook, hooked.issuer.terms.patient_system)
    instrument = newest.rulebook.rulebook.instrument
    with acts.transaction() as work:
        _use(work, hooked)
        found = latest(work, numbers, instrument)
        days = form_settings.own(work).ask_again_days
        work.audit("read", "screening", found.id if found else "")
    chart = Chart(hook.context.patientId, newest, days, settings.public_url, work.now)
    version = found.assessment.rulebook.partition("@")[2] if found else ""
    scored_by = rulebooks.any_status(instrument, version) if found else None
    return Cards(cards=cards(chart, found, scored_by))


@router.post(
    "/{service}/feedback",
    operation_id="tell_feedback",
    responses=refusals(*TAKING, 404),
    summary="What became of cards",
)
def tell_feedback(
    service: ServiceId, feedback: Feedback, acts: Acting, hooked: Calling, rulebooks: Rulebooks
) -> Thanks:
    """Accepted or overridden: written to the audit. What was written about it is not kept."""
    if service not in in_use(rulebooks):
        raise Problem("not_found")
    with acts.transaction() as work:
        _use(work, hooked)
        for each in feedback.feedback:
            work.audit("answer", "card", each.card.lower(), outcome=each.outcome)
    return Thanks()


def _use(work: Transaction, hooked: Hooked) -> None:
    """The token opens nothing twice."""
    issuers.use_token(work, hooked.issuer.id, hooked.jti, hooked.expires_at, SKEW_SECONDS)
