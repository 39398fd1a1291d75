"""Signing in at the organisation's own identity provider (OpenID Connect), where one is set."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.responses import RedirectResponse

from api.auth.route_guard import stranger
from api.dependencies import peer_of
from api.desk import cookies
from api.desk.login import begin, let_in
from api.desk.oidc_login import FLOW_SECONDS, Provider
from api.http.rate_limit import RateLimiter
from api.problems import Problem
from api.store.accounts import invitations, login_credentials, sessions
from api.store.store import Store
from api.web.page_route import PageRoute
from api.web.security_headers import page_headers
from api.web.templating import see

PER_MINUTE = 30
FAILED = "/sign-in?provider=failed"
router = APIRouter(route_class=PageRoute)


@router.get("/sign-in/provider")
def go(request: Request) -> Response:
    """On to the provider."""
    return _sent(request, "")


@router.get("/invitation/{secret}/provider")
def accept(request: Request, secret: Annotated[str, Path(max_length=100)]) -> Response:
    """On to the provider, to accept an invitation by its word."""
    if invitations.open_now(request.app.state.store, secret) is None:
        raise Problem("not_found")
    return _sent(request, secret)


@router.get("/sign-in/provider/return")
def come_back(request: Request) -> Response:
    """What the provider says; whoever it means is signed in, if they are known here."""
    provider = _provider(request)
    held = cookies.given(request, cookies.FLOW)
    answer = {name: value[:4000] for name, value in request.query_params.items()}
    found = provider.finish(held, answer)
    secret = _signed_in(request, *found) if found else None
    if secret is None:
        request.app.state.refusals.record(stranger(request), "bad_sign_in")
        response = see(request, FAILED)
    else:
        response = see(request, "/desk")
        let_in(request, response, secret)
    cookies.take_back(request, response, cookies.FLOW)
    return response


def _signed_in(request: Request, subject: str, invitation: str) -> str | None:
    """What the browser holds the new session by; None for who is not known here."""
    store: Store = request.app.state.store
    issuer = request.app.state.settings.oidc_issuer
    if invitation:
        return _accepted(request, issuer, subject, invitation)
    known = login_credentials.identified(store, issuer, subject)
    if known is None:
        return None
    organisation, practitioner = known
    actor = stranger(request)._replace(organisation=organisation, id=practitioner, means="session")
    with store.transaction(actor) as work:
        return begin(request, work, practitioner)


def _accepted(request: Request, issuer: str, subject: str, secret: str) -> str | None:
    store: Store = request.app.state.store
    invited = invitations.open_now(store, secret)
    if invited is None:
        return None
    practitioner = invited.practitioner.id
    actor = stranger(request)._replace(
        organisation=invited.organisation, id=practitioner, means="session"
    )
    try:
        with store.transaction(actor) as work:
            invitations.use_up(work, invited.id)
            sessions.end_all(work, practitioner)
            login_credentials.forget(work, practitioner)
            login_credentials.link(work, practitioner, issuer, subject)
            work.audit("administer", "sign_in", practitioner)
            return begin(request, work, practitioner)
    except Problem:
        return None


def _sent(request: Request, invitation: str) -> Response:
    limiter: RateLimiter = request.app.state.limiter
    limiter.take(f"provider {peer_of(request)}", PER_MINUTE)
    address, held = _provider(request).begin(invitation)
    headers = page_headers(request.app.state.settings)
    response = RedirectResponse(address, 303, headers=headers)
    cookies.give(request, response, cookies.FLOW, held, FLOW_SECONDS)
    return response


def _provider(request: Request) -> Provider:
    held: Provider | None = request.app.state.provider
    if held is None:
        raise Problem("not_found")
    return held
