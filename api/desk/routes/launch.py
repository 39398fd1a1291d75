"""Routes of a launch from an EHR: the desk opens with the patient whose chart is open there."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from api.auth.admission import LOGINS_AT_PROVIDER, count_for_network
from api.auth.route_guard import build_anonymous_actor
from api.auth.services import find_services
from api.desk.access.login import set_session_cookies, start_session
from api.desk.access.session_guard import (
    LOGIN_PATH,
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
    build_session_actor,
    select_language,
)
from api.desk.access.smart_launch import FLOW_SECONDS, LaunchContext, LaunchError, SmartLaunch
from api.desk.link_creation import create_shown_link
from api.desk.screening_rows import list_instrument_choices
from api.store.accounts import login_credentials, sessions
from api.store.errors import ConflictError
from api.store.forms.links import LinkRequest
from api.store.screenings import patient_screenings
from api.store.transaction import Transaction
from api.web import cookies
from api.web.page_route import PageRoute, read_field
from api.web.security_headers import build_page_headers
from api.web.templating import PageOptions, redirect_to, render_page
from scoring.catalogue import UnknownRulebookError

LAUNCHED_PATH = "/desk/launch"
router = APIRouter()
_public = APIRouter(route_class=PageRoute)
_desk = APIRouter(route_class=build_desk_route("screenings:read"))


@_public.get("/launch")
def start_launch(
    request: Request,
    iss: Annotated[str, Query(max_length=500)] = "",
    launch: Annotated[str, Query(max_length=2000)] = "",
) -> Response:
    """Redirect to the EHR, which says who launches the desk and for which patient."""
    count_for_network(request, LOGINS_AT_PROVIDER)
    services = find_services(request)
    try:
        url, flow = SmartLaunch(services).start_launch(iss, launch)
    except LaunchError as error:
        return _refuse(request, error)
    response = RedirectResponse(url, 303, headers=build_page_headers(services.settings))
    cookies.set_cookie(request, response, cookies.LAUNCH_FLOW, flow, FLOW_SECONDS)
    return response


@_public.get("/launch/return")
def finish_launch(request: Request) -> Response:
    """Verify the EHR's response; start a session if the practitioner is known."""
    smart_launch = SmartLaunch(find_services(request))
    parameters = {name: value[:4000] for name, value in request.query_params.items()}
    flow = cookies.read_cookie(request, cookies.LAUNCH_FLOW)
    try:
        context = smart_launch.finish_launch(flow, parameters)
    except LaunchError as error:
        response = _refuse(request, error)
    else:
        response = redirect_to(request, LAUNCHED_PATH)
        session = _start_session(request, context)
        if session is not None:
            set_session_cookies(request, response, session)
        sealed_context = smart_launch.seal_context(context)
        cookies.set_cookie(request, response, cookies.LAUNCH, sealed_context, FLOW_SECONDS)
    cookies.delete_cookie(request, response, cookies.LAUNCH_FLOW)
    return response


@_desk.get(LAUNCHED_PATH)
def show_launched(desk: PractitionerPageDep) -> Response:
    """Open the patient's page, or offer to start an intake; first link the account if it is new."""
    context = _find_context(desk)
    if context is None:
        return desk.redirect("/desk")
    if _find_owner(desk, context) is None:
        if not _is_recent(desk):
            return _require_login(desk)
        return desk.render("launch", question="link", patient=context.patient, choices=())
    if context.patient is None:
        return _end_launch(desk, desk.redirect("/desk"))
    with desk.context.transaction() as work:
        of_this_patient = patient_screenings.list_screenings(work, context.patient)
        work.audit("list", "screening", count=max(len(of_this_patient), 1))
    if of_this_patient:
        path = f"/desk/screenings/{of_this_patient[0].id}/patient"
        return _end_launch(desk, desk.redirect(path))
    choices = list_instrument_choices(desk.formatter)
    return desk.render("launch", question="intake", patient=context.patient, choices=choices)


@_desk.post("/desk/launch/identity")
def link_identity(
    desk: PractitionerPageDep,
    fields: CheckedFields,  # noqa: ARG001 - checks the CSRF token
) -> Response:
    """Link the EHR's account to that of the practitioner who logged in a short while ago."""
    context = _find_context(desk)
    if context is None:
        return desk.redirect("/desk")
    if not _is_recent(desk):
        return _require_login(desk)
    practitioner = desk.signed_in.practitioner.id
    with desk.context.transaction() as work:
        login_credentials.add_identity(work, practitioner, context.issuer, context.subject)
        work.audit("administer", "sign_in", practitioner)
        _audit_ehr_practitioner(work, context)
    return desk.redirect(LAUNCHED_PATH)


@_desk.post("/desk/launch/intake")
def start_intake(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Create a link for the patient of the launch, and show it."""
    desk.require_scope("screenings:write")
    context = _find_context(desk)
    if context is None or context.patient is None or _find_owner(desk, context) is None:
        return desk.redirect(LAUNCHED_PATH)
    try:
        rulebook = desk.rulebooks.find_current(read_field(fields, "rulebook")).name
    except UnknownRulebookError:
        return desk.redirect(LAUNCHED_PATH)
    shown_link = create_shown_link(desk, LinkRequest(context.patient, rulebook), None)
    return _end_launch(desk, shown_link)


def _start_session(request: Request, context: LaunchContext) -> str | None:
    """Start a session for the practitioner of this identity; None if it is not linked."""
    store = find_services(request).store
    owner = login_credentials.look_up_identity(store, context.issuer, context.subject)
    if owner is None or owner[0] != context.organisation:
        return None
    with store.transaction(build_session_actor(request, *owner)) as work:
        secret = start_session(request, work, owner[1])
        _audit_ehr_practitioner(work, context)
    return secret


def _audit_ehr_practitioner(work: Transaction, context: LaunchContext) -> None:
    """Say which user of the EHR launched the desk. No right depends on it."""
    outcome = "ok" if context.ehr_practitioner else "unnamed"
    work.audit("sign_in", "ehr_practitioner", context.ehr_practitioner, outcome=outcome)


def _find_context(desk: PractitionerPage) -> LaunchContext | None:
    """Return the launch of this browser if it is for the practitioner's organisation."""
    cookie = cookies.read_cookie(desk.request, cookies.LAUNCH)
    context = SmartLaunch(find_services(desk.request)).unseal_context(cookie) if cookie else None
    own = context is not None and context.organisation == desk.signed_in.organisation
    return context if own else None


def _find_owner(desk: PractitionerPage, context: LaunchContext) -> str | None:
    """Return the practitioner's id if the identity is linked to the one who is signed in.

    None if it is not linked. Raises ConflictError if it is linked to another.
    """
    owner = login_credentials.look_up_identity(desk.store, context.issuer, context.subject)
    own = desk.signed_in.organisation, desk.signed_in.practitioner.id
    if owner is not None and owner != own:
        raise ConflictError("This identity is already linked to another practitioner.")
    return owner[1] if owner else None


def _is_recent(desk: PractitionerPage) -> bool:
    """Return whether the practitioner logged in within the time that a launch may take."""
    return datetime.now(UTC) - desk.signed_in.since < timedelta(seconds=FLOW_SECONDS)


def _require_login(desk: PractitionerPage) -> Response:
    """End the session, and go on with the launch after the next login."""
    with desk.context.transaction() as work:
        sessions.end_session(work, desk.signed_in.session)
        work.audit("sign_out", "practitioner", desk.signed_in.practitioner.id)
    response = desk.redirect(LOGIN_PATH)
    cookies.delete_cookie(desk.request, response, cookies.SESSION)
    return response


def _end_launch(desk: PractitionerPage, response: Response) -> Response:
    cookies.delete_cookie(desk.request, response, cookies.LAUNCH)
    return response


def _refuse(request: Request, error: LaunchError) -> Response:
    """Record why, in the organisation's audit if the EHR is known, and show a page without it."""
    actor = build_anonymous_actor(request)
    if error.organisation is not None:
        actor = actor._replace(organisation=error.organisation)
    denied_requests = find_services(request).denied_requests
    denied_requests.record(actor, "bad_launch", reason=error.reason, is_aggregated=True)
    options = PageOptions(select_language(request), 403)
    phrases = {"heading": "launch_failed_heading", "explanation": "launch_failed_text"}
    return render_page(request, "problem.html.j2", options, **phrases)


router.include_router(_public)
router.include_router(_desk)
