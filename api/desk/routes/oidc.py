"""Login routes of the organisation's identity provider (OpenID Connect), if one is configured."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import RedirectResponse

from api.auth.route_guard import build_anonymous_actor
from api.dependencies import read_peer_address
from api.desk import cookies
from api.desk.login import set_session_cookies, start_session
from api.desk.oidc_login import FLOW_SECONDS, OidcProvider
from api.http.rate_limit import RateLimiter
from api.problems import Problem
from api.store.accounts import invitations, login_credentials, sessions
from api.store.store import Store
from api.web.page_route import PageRoute
from api.web.security_headers import build_page_headers
from api.web.templating import redirect_to

LOGINS_PER_MINUTE = 30
FAILED_PATH = "/sign-in?provider=failed"
router = APIRouter(route_class=PageRoute)


@router.get("/sign-in/provider")
def start_login(request: Request) -> Response:
    """Redirect to the provider to sign in."""
    return _redirect_to_provider(request, "")


@router.get("/invitation/{secret}/provider")
def start_acceptance(request: Request, secret: Annotated[str, Path(max_length=100)]) -> Response:
    """Redirect to the provider to accept an invitation."""
    if invitations.look_up_open_invitation(request.app.state.store, secret) is None:
        raise Problem("not_found")
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
        request.app.state.refusals.record(build_anonymous_actor(request), "bad_sign_in")
        response = redirect_to(request, FAILED_PATH)
    else:
        response = redirect_to(request, "/desk")
        set_session_cookies(request, response, session)
    cookies.delete_cookie(request, response, cookies.OIDC_FLOW)
    return response


def _start_session(request: Request, subject: str, invitation: str) -> str | None:
    """Return the secret of a new session, or None if the subject is unknown."""
    store: Store = request.app.state.store
    issuer = request.app.state.settings.oidc_issuer
    if invitation:
        return _accept_invitation(request, issuer, subject, invitation)
    practitioner_key = login_credentials.look_up_identity(store, issuer, subject)
    if practitioner_key is None:
        return None
    organisation, practitioner = practitioner_key
    actor = build_anonymous_actor(request)._replace(
        organisation=organisation, id=practitioner, means="session"
    )
    with store.transaction(actor) as work:
        return start_session(request, work, practitioner)


def _accept_invitation(request: Request, issuer: str, subject: str, secret: str) -> str | None:
    store: Store = request.app.state.store
    invited = invitations.look_up_open_invitation(store, secret)
    if invited is None:
        return None
    practitioner = invited.practitioner.id
    actor = build_anonymous_actor(request)._replace(
        organisation=invited.organisation, id=practitioner, means="session"
    )
    try:
        with store.transaction(actor) as work:
            invitations.consume_invitation(work, invited.id)
            sessions.end_practitioner_sessions(work, practitioner)
            login_credentials.delete_credentials(work, practitioner)
            login_credentials.link_identity(work, practitioner, issuer, subject)
            work.audit("administer", "sign_in", practitioner)
            return start_session(request, work, practitioner)
    except Problem:
        return None


def _redirect_to_provider(request: Request, invitation: str) -> Response:
    limiter: RateLimiter = request.app.state.limiter
    limiter.take(f"provider {read_peer_address(request)}", LOGINS_PER_MINUTE)
    url, flow = _require_provider(request).start_login(invitation)
    headers = build_page_headers(request.app.state.settings)
    response = RedirectResponse(url, 303, headers=headers)
    cookies.set_cookie(request, response, cookies.OIDC_FLOW, flow, FLOW_SECONDS)
    return response


def _require_provider(request: Request) -> OidcProvider:
    provider: OidcProvider | None = request.app.state.provider
    if provider is None:
        raise Problem("not_found")
    return provider
