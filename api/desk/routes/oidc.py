"""Login routes of the organisation's identity provider (OpenID Connect), if one is configured."""

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from api.auth.admission import LOGINS_AT_PROVIDER, count_for_network
from api.auth.route_guard import build_anonymous_actor
from api.auth.services import LoginProvider, find_services
from api.desk.access.invitation_acceptance import (
    InvitationDep,
    InvitationSecret,
    accept_with_identity,
)
from api.desk.access.login import find_first_page, set_session_cookies, start_session
from api.desk.access.oidc_login import FLOW_SECONDS
from api.desk.access.session_guard import LOGIN_PATH, build_session_actor
from api.problems import Problem
from api.store.accounts import login_credentials
from api.web import cookies
from api.web.csrf import is_same_origin
from api.web.page_route import PageRoute
from api.web.security_headers import build_page_headers
from api.web.templating import redirect_to

FAILED_PATH = "/sign-in?provider=failed"
router = APIRouter(route_class=PageRoute)


@router.get("/sign-in/provider")
def start_login(request: Request) -> Response:
    """Redirect to the provider to sign in; from another site, to the page that offers it."""
    if not is_same_origin(request):
        return redirect_to(request, LOGIN_PATH)
    return _redirect_to_provider(request, "")


@router.get("/invitation/{secret}/provider")
def start_acceptance(
    request: Request,
    secret: InvitationSecret,
    invited: InvitationDep,  # noqa: ARG001 - checks the secret
) -> Response:
    """Redirect to the provider to accept an invitation; from another site, to its page."""
    if not is_same_origin(request):
        return redirect_to(request, f"/invitation/{secret}")
    return _redirect_to_provider(request, secret)


@router.get("/sign-in/provider/return")
def finish_login(request: Request) -> Response:
    """Verify the provider's response and start a session for a known practitioner."""
    provider = _require_provider(request)
    cookie = cookies.read_cookie(request, cookies.OIDC_FLOW)
    parameters = {name: value[:4000] for name, value in request.query_params.items()}
    identity = provider.finish_login(cookie, parameters)
    session = _start_session(request, *identity) if identity else None
    if session is None:
        find_services(request).denied_requests.record(build_anonymous_actor(request), "bad_sign_in")
        response = redirect_to(request, FAILED_PATH)
    else:
        response = redirect_to(request, find_first_page(request, session))
        set_session_cookies(request, response, session)
    cookies.delete_cookie(request, response, cookies.OIDC_FLOW)
    return response


def _start_session(request: Request, subject: str, invitation: str) -> str | None:
    if invitation:
        return accept_with_identity(request, invitation, subject)
    store, issuer = find_services(request).store, find_services(request).settings.oidc_issuer
    practitioner_key = login_credentials.look_up_identity(store, issuer, subject)
    if practitioner_key is None:
        return None
    organisation, practitioner = practitioner_key
    with store.transaction(build_session_actor(request, organisation, practitioner)) as work:
        return start_session(request, work, practitioner)


def _redirect_to_provider(request: Request, invitation: str) -> Response:
    count_for_network(request, LOGINS_AT_PROVIDER)
    url, flow = _require_provider(request).start_login(invitation)
    headers = build_page_headers(find_services(request).settings)
    response = RedirectResponse(url, 303, headers=headers)
    cookies.set_cookie(request, response, cookies.OIDC_FLOW, flow, FLOW_SECONDS)
    return response


def _require_provider(request: Request) -> LoginProvider:
    provider = find_services(request).oidc_provider
    if provider is None:
        raise Problem("not_found")
    return provider
