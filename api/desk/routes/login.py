"""Login pages: sign in and out in a browser, and accept an invitation."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from api.auth.admission import INVITATION_ATTEMPTS, count_for_id
from api.auth.route_guard import build_anonymous_actor
from api.auth.services import find_services
from api.desk.access.invitation_acceptance import (
    InvitationDep,
    InvitationForm,
    InvitationSecret,
    accept_invitation,
    find_form_faults,
)
from api.desk.access.login import authenticate, find_first_page, set_session_cookies
from api.desk.access.login_faults import LoginFaults, read_faults, redirect_with_faults
from api.desk.access.session_guard import (
    LOGIN_PATH,
    CheckedFields,
    PractitionerPageDep,
    build_desk_route,
    remember_language,
    select_language,
)
from api.forms.link_urls import render_qr_code
from api.http.errors.error_conversion import convert_error
from api.problems import Problem, TooManyRequestsProblem
from api.security.client_secrets import hash_secret
from api.security.totp import build_provisioning_uri
from api.store.accounts import invitations, kept_forms, sessions
from api.store.accounts.organisations import FIRST_ORGANISATION_NAME
from api.store.errors import TooManyAttemptsError
from api.web import cookies
from api.web.csrf import CSRF_FIELD, find_csrf_tokens
from api.web.page_route import FormFields, PageRoute, read_field, read_page_form
from api.web.templating import PageOptions, redirect_to, render_page

UncheckedFields = Annotated[FormFields, Depends(read_page_form)]
LOGIN_FORM_SECONDS = 3600
router = APIRouter()
_public = APIRouter(route_class=PageRoute)
_signed_in = APIRouter(route_class=build_desk_route())


@_public.get("/sign-in")
def show_login(request: Request) -> Response:
    """Show the login form."""
    has_failed = "provider" in request.query_params and _find_provider_name(request)
    is_signed_out = "signed-out" in request.query_params
    faulty = read_faults(request)
    if faulty.faults:
        return _render_login(request, "wrong", name=faulty.name)
    end_notice = next((name for name in ("kept", "ended") if name in request.query_params), "")
    return _render_login(
        request, "provider" if has_failed else "", is_signed_out=is_signed_out, ended=end_notice
    )


@_public.post("/sign-in")
def sign_in(request: Request, fields: UncheckedFields) -> Response:
    """Start a session for a practitioner who proves their identity."""
    nonce = cookies.read_cookie(request, cookies.LOGIN_FORM)
    _check_csrf(request, fields, f"sign-in {nonce}" if nonce else "")
    name, password, code = (
        read_field(fields, field)[:200] for field in ("name", "password", "code")
    )
    try:
        login = authenticate(request, name, password, code)
    except (TooManyRequestsProblem, TooManyAttemptsError) as error:
        problem = convert_error(error)
        seconds = int(problem.headers.get("Retry-After", "60"))
        return _render_login(request, "wait", minutes=-(-seconds // 60), headers=problem.headers)
    if login is None:
        faults = LoginFaults({"name": "desk_sign_in_failed"}, name)
        return redirect_with_faults(request, LOGIN_PATH, faults)
    response = redirect_to(request, find_first_page(request, login[1]))
    set_session_cookies(request, response, login[1], name)
    cookies.delete_cookie(request, response, cookies.LOGIN_FORM)
    cookies.delete_cookie(request, response, cookies.LOGIN_FAULTS)
    return response


@_signed_in.post("/sign-out")
def sign_out(
    request: Request,
    desk: PractitionerPageDep,
    fields: CheckedFields,  # noqa: ARG001 - checks the CSRF token
) -> Response:
    """End this session."""
    practitioner = desk.signed_in.practitioner.id
    with desk.context.transaction() as work:
        sessions.end_session(work, desk.signed_in.session)
        kept_forms.delete_kept_forms(work, practitioner)
        work.audit("sign_out", "practitioner", practitioner)
    response = redirect_to(request, "/sign-in?signed-out")
    cookies.delete_cookie(request, response, cookies.SESSION)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@_public.get("/invitation/{secret}")
def show_invitation(request: Request, secret: InvitationSecret, invited: InvitationDep) -> Response:
    """Show the form in which the login credentials are chosen."""
    return _render_invitation(request, secret, invited, read_faults(request))


@_public.post("/invitation/{secret}")
def submit_invitation(
    request: Request, secret: InvitationSecret, invited: InvitationDep, fields: UncheckedFields
) -> Response:
    """Store the chosen credentials, start a session and show the recovery codes."""
    _limit_choices(request, invited)
    _check_csrf(request, fields, _build_binding(secret))
    names = ("name", "password", "password_repeat", "code")
    form = InvitationForm(*(read_field(fields, name)[:300] for name in names))
    faults = find_form_faults(find_services(request).store, form, invited)
    acceptance = None if faults else accept_invitation(request, invited, form, faults)
    if acceptance is None:
        return redirect_with_faults(
            request, f"/invitation/{secret}", LoginFaults(faults, form.name)
        )
    codes, session = acceptance
    options = PageOptions(select_language(request))
    is_first = "organisation:admin" in invited.practitioner.scopes and (
        invited.organisation_name == FIRST_ORGANISATION_NAME
    )
    next_path = "/desk/practice?first=true" if is_first else "/desk"
    response = render_page(request, "desk/codes.html.j2", options, codes=codes, next_path=next_path)
    set_session_cookies(request, response, session, form.name)
    cookies.delete_cookie(request, response, cookies.LOGIN_FAULTS)
    return response


def _limit_choices(request: Request, invited: InvitationDep) -> None:
    """Limit the choices under one invitation: repeated tries would reveal which names are taken."""
    try:
        count_for_id(request, INVITATION_ATTEMPTS, invited.id)
    except Problem as problem:
        actor = build_anonymous_actor(request)._replace(organisation=invited.organisation)
        find_services(request).denied_requests.record(actor, problem.code, invited.id)
        raise


def _render_invitation(
    request: Request, secret: str, invited: InvitationDep, faulty: LoginFaults
) -> Response:
    store = find_services(request).store
    actor = build_anonymous_actor(request)._replace(organisation=invited.organisation)
    with store.transaction(actor) as work:
        totp = invitations.read_totp_secret(work, invited.id)
        work.audit("read", "invitation", invited.id)
    totp_url = build_provisioning_uri(totp, invited.practitioner.name, invited.organisation_name)
    response = render_page(
        request,
        "desk/invitation.html.j2",
        PageOptions(select_language(request), 422 if faulty.faults else 200),
        base=f"/invitation/{secret}",
        token=find_csrf_tokens(request).issue_token(_build_binding(secret)),
        invited=invited,
        faults=faulty.faults,
        name=faulty.name,
        totp=totp,
        qr=render_qr_code(totp_url),
        provider=_find_provider_name(request),
    )
    remember_language(request, response)
    return response


def _render_login(request: Request, fault: str = "", **options: Any) -> Response:
    nonce = cookies.read_cookie(request, cookies.LOGIN_FORM) or secrets.token_urlsafe(16)
    status = {"": 200, "wait": 429}.get(fault, 422)
    response = render_page(
        request,
        "desk/sign_in.html.j2",
        PageOptions(select_language(request), status, options.get("headers")),
        token=find_csrf_tokens(request).issue_token(f"sign-in {nonce}"),
        provider=_find_provider_name(request),
        fault=fault,
        name=options.get("name", ""),
        minutes=options.get("minutes"),
        is_signed_out=options.get("is_signed_out"),
        ended=options.get("ended", ""),
    )
    cookies.set_cookie(request, response, cookies.LOGIN_FORM, nonce, LOGIN_FORM_SECONDS)
    remember_language(request, response)
    return response


def _check_csrf(request: Request, fields: FormFields, bound_to: str) -> None:
    if not bound_to:
        raise Problem("csrf_failed")
    find_csrf_tokens(request).check_request(request, read_field(fields, CSRF_FIELD), bound_to)


def _build_binding(secret: str) -> str:
    return f"invitation {hash_secret(secret)}"


def _find_provider_name(request: Request) -> str:
    settings = find_services(request).settings
    return settings.oidc_name if settings.oidc_issuer else ""


router.include_router(_public)
router.include_router(_signed_in)
