"""Login routes of the organisation's identity provider (OpenID Connect), if one is configured."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import RedirectResponse

from api.auth.admission import LOGINS_AT_PROVIDER, count_for_network
from api.auth.route_guard import build_anonymous_actor
from api.auth.services import LoginProvider, LoginPurpose, ProviderLogin, find_services
from api.desk.access.invitation_acceptance import (
    InvitationDep,
    InvitationSecret,
    accept_with_identity,
)
from api.desk.access.login import find_first_page, set_session_cookies, start_session
from api.desk.access.oidc_login import FLOW_SECONDS
from api.desk.access.session_ending import (
    ACCOUNT_PATH,
    NOT_RENEWED_NOTICE,
    UNCONFIRMED_NOTICE,
    end_chosen_sessions,
)
from api.desk.access.session_guard import (
    ENDED_PATH,
    LOGIN_PATH,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
    build_session_actor,
    find_practitioner_page,
)
from api.problems import Problem
from api.store.accounts import login_credentials, sessions
from api.web import cookies
from api.web.csrf import is_same_origin
from api.web.page_route import PageRoute
from api.web.security_headers import build_page_headers
from api.web.templating import redirect_to

FAILED_PATH = "/sign-in?provider=failed"
router = APIRouter()
_public = APIRouter(route_class=PageRoute)
_desk = APIRouter(route_class=build_desk_route())


@_public.get("/sign-in/provider")
def start_login(request: Request) -> Response:
    """Redirect to the provider to sign in; from another site, to the page that offers it."""
    if not is_same_origin(request):
        return redirect_to(request, LOGIN_PATH)
    return _redirect_to_provider(request, LoginPurpose())


@_public.get("/invitation/{secret}/provider")
def start_acceptance(
    request: Request,
    secret: InvitationSecret,
    invited: InvitationDep,  # noqa: ARG001 - checks the secret
) -> Response:
    """Redirect to the provider to accept an invitation; from another site, to its page."""
    if not is_same_origin(request):
        return redirect_to(request, f"/invitation/{secret}")
    return _redirect_to_provider(request, LoginPurpose(invitation=secret))


@_desk.get(f"{ACCOUNT_PATH}/sessions/{{session}}/provider")
def start_renewal(
    desk: PractitionerPageDep, session: Annotated[str, Path(max_length=36)]
) -> Response:
    """Redirect to the provider to log in again, which ends one other session or all of them."""
    if not is_same_origin(desk.request):
        return desk.redirect(ACCOUNT_PATH)
    return _redirect_to_provider(desk.request, LoginPurpose(ended_session=session))


@_public.get("/sign-in/provider/return")
def finish_login(request: Request) -> Response:
    """Verify the provider's response; start a session for a known practitioner, or end others."""
    provider = _require_provider(request)
    cookie = cookies.read_cookie(request, cookies.OIDC_FLOW)
    parameters = {name: value[:4000] for name, value in request.query_params.items()}
    login = provider.finish_login(cookie, parameters)
    answer = _end_sessions if login.purpose.ended_session else _start_session
    response = answer(request, login)
    cookies.delete_cookie(request, response, cookies.OIDC_FLOW)
    return response


def _start_session(request: Request, login: ProviderLogin) -> Response:
    session = _find_session(request, login) if login.subject else None
    if session is None:
        find_services(request).denied_requests.record(build_anonymous_actor(request), "bad_sign_in")
        return redirect_to(request, FAILED_PATH)
    response = redirect_to(request, find_first_page(request, session))
    set_session_cookies(request, response, session)
    return response


def _end_sessions(request: Request, login: ProviderLogin) -> Response:
    """End the chosen sessions if the login is new and that of the practitioner signed in here."""
    desk = find_practitioner_page(request)
    if desk is None:
        return redirect_to(request, ENDED_PATH)
    practitioner = desk.signed_in.practitioner.id
    if not _is_own_login(desk, login):
        with desk.context.transaction() as work:
            work.audit("refuse", "practitioner", practitioner, outcome="bad_sign_in")
        notice = NOT_RENEWED_NOTICE if login.is_renewal_unconfirmed else UNCONFIRMED_NOTICE
        return desk.redirect(f"{ACCOUNT_PATH}?{notice}")
    with desk.context.transaction() as work:
        secret = sessions.renew_secret(work, desk.signed_in.session)
        work.audit("sign_in", "practitioner", practitioner, outcome="renewed")
    response = end_chosen_sessions(desk, login.purpose.ended_session)
    cookies.set_cookie(request, response, cookies.SESSION, secret)
    return response


def _is_own_login(desk: PractitionerPage, login: ProviderLogin) -> bool:
    issuer = find_services(desk.request).settings.oidc_issuer
    owner = login_credentials.look_up_identity(desk.store, issuer, login.subject)
    own = desk.signed_in.organisation, desk.signed_in.practitioner.id
    return bool(login.subject) and owner == own


def _find_session(request: Request, login: ProviderLogin) -> str | None:
    if login.purpose.invitation:
        return accept_with_identity(request, login.purpose.invitation, login.subject)
    store, issuer = find_services(request).store, find_services(request).settings.oidc_issuer
    practitioner_key = login_credentials.look_up_identity(store, issuer, login.subject)
    if practitioner_key is None:
        return None
    organisation, practitioner = practitioner_key
    with store.transaction(build_session_actor(request, organisation, practitioner)) as work:
        return start_session(request, work, practitioner)


def _redirect_to_provider(request: Request, purpose: LoginPurpose) -> Response:
    count_for_network(request, LOGINS_AT_PROVIDER)
    url, flow = _require_provider(request).start_login(purpose)
    headers = build_page_headers(find_services(request).settings)
    response = RedirectResponse(url, 303, headers=headers)
    cookies.set_cookie(request, response, cookies.OIDC_FLOW, flow, FLOW_SECONDS)
    return response


def _require_provider(request: Request) -> LoginProvider:
    provider = find_services(request).oidc_provider
    if provider is None:
        raise Problem("not_found")
    return provider


router.include_router(_public)
router.include_router(_desk)
