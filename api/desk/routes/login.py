"""Signing in and out in a browser, and accepting an invitation to."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from api.auth.route_guard import stranger
from api.dependencies import peer_of
from api.desk import cookies
from api.desk.invitation_acceptance import Wanted, accept, faults_of
from api.desk.login import Given, let_in, prove
from api.desk.session_guard import AtDesk, Form, desk_route, keep_language, language_of
from api.forms.qr_code import qr
from api.http.rate_limit import RateLimiter
from api.problems import Problem
from api.security.client_secrets import hashed
from api.security.totp import totp_address
from api.store.accounts import invitations, sessions
from api.store.accounts.invitations import Invited
from api.store.store import Store
from api.web.csrf import FIELD, Forgery
from api.web.page_route import Fields, PageRoute, fields_of, only
from api.web.templating import Look, page, see

Sent = Annotated[Fields, Depends(fields_of)]
WRONG_PER_MINUTE = 30
CHOICES_PER_MINUTE = 10
VISIT_SECONDS = 3600
router = APIRouter()
_open = APIRouter(route_class=PageRoute)
_behind = APIRouter(route_class=desk_route())


@_open.get("/sign-in")
def door(request: Request) -> Response:
    """Name, password, code."""
    failed = "provider" in request.query_params and _provider(request)
    signed_out = "signed-out" in request.query_params
    return _door(request, "provider" if failed else "", signed_out=signed_out)


@_open.post("/sign-in")
def sign_in(request: Request, fields: Sent) -> Response:
    """A session of its own for who proves to be someone."""
    visit = cookies.given(request, cookies.VISIT)
    _check(request, fields, f"sign-in {visit}" if visit else "")
    given = Given(*(only(fields, each)[:200] for each in ("name", "password", "code")))
    try:
        proved = prove(request, given)
    except Problem as problem:
        if problem.code != "too_many":
            raise
        seconds = int(problem.headers.get("Retry-After", "60"))
        return _door(request, "wait", minutes=-(-seconds // 60), headers=problem.headers)
    if proved is None:
        return _door(request, "wrong")
    response = see(request, "/desk")
    let_in(request, response, proved[1], given.name)
    cookies.take_back(request, response, cookies.VISIT)
    return response


@_behind.post("/sign-out")
def sign_out(request: Request, desk: AtDesk, fields: Form) -> Response:
    """Here, or in every browser."""
    practitioner = desk.signed_in.practitioner.id
    with desk.acts.transaction() as work:
        if only(fields, "everywhere") == "yes":
            count = sessions.end_all(work, practitioner)
        else:
            count = 1
            sessions.end(work, desk.signed_in.session)
        work.audit("sign_out", "practitioner", practitioner, count=max(count, 1))
    response = see(request, "/sign-in?signed-out")
    cookies.take_back(request, response, cookies.SESSION)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


async def _invited(request: Request, secret: Annotated[str, Path(max_length=100)]) -> Invited:
    limiter: RateLimiter = request.app.state.limiter
    limiter.check(f"wrong invitation {peer_of(request)}", WRONG_PER_MINUTE)
    found = invitations.open_now(request.app.state.store, secret)
    if found is None:
        limiter.take(f"wrong invitation {peer_of(request)}", WRONG_PER_MINUTE)
        request.app.state.refusals.record(stranger(request), "not_found")
        raise Problem("not_found")
    return found


AnInvited = Annotated[Invited, Depends(_invited)]
Secret = Annotated[str, Path(max_length=100)]


@_open.get("/invitation/{secret}")
def read_invitation(request: Request, secret: Secret, invited: AnInvited) -> Response:
    """What will be signed in with is chosen here."""
    return _invitation(request, secret, invited, {}, "")


@_open.post("/invitation/{secret}")
def accept_invitation(
    request: Request, secret: Secret, invited: AnInvited, fields: Sent
) -> Response:
    """Chosen, and signed in."""
    _count_choice(request, invited)
    _check(request, fields, f"invitation {hashed(secret)}")
    names = ("name", "password", "again", "code")
    wanted = Wanted(*(only(fields, each)[:300] for each in names))
    faults = faults_of(wanted, invited)
    accepted = None if faults else accept(request, invited, wanted, faults)
    if accepted is None:
        return _invitation(request, secret, invited, faults, wanted.name)
    codes, session = accepted
    look = Look(language_of(request))
    response = page(request, "desk/codes.html.j2", look, codes=codes)
    let_in(request, response, session, wanted.name)
    return response


def _count_choice(request: Request, invited: Invited) -> None:
    """Who chooses again and again would learn which names are taken."""
    limiter: RateLimiter = request.app.state.limiter
    try:
        limiter.take(f"choosing {invited.id}", CHOICES_PER_MINUTE)
    except Problem as problem:
        own = stranger(request)._replace(organisation=invited.organisation)
        request.app.state.refusals.record(own, problem.code, invited.id)
        raise


def _invitation(
    request: Request, secret: str, invited: Invited, faults: dict[str, str], name: str
) -> Response:
    store: Store = request.app.state.store
    own = stranger(request)._replace(organisation=invited.organisation)
    with store.transaction(own) as work:
        totp = invitations.totp_of(work, invited.id)
        work.audit("read", "invitation", invited.id)
    address = totp_address(totp, invited.practitioner.name, invited.organisation_name)
    response = page(
        request,
        "desk/invitation.html.j2",
        Look(language_of(request), 422 if faults else 200),
        base=f"/invitation/{secret}",
        token=_forgery(request).token(f"invitation {hashed(secret)}"),
        invited=invited,
        faults=faults,
        name=name,
        totp=totp,
        qr=qr(address),
        provider=_provider(request),
    )
    keep_language(request, response)
    return response


def _door(request: Request, fault: str = "", **more: Any) -> Response:
    visit = cookies.given(request, cookies.VISIT) or secrets.token_urlsafe(16)
    status = {"": 200, "wait": 429}.get(fault, 422)
    look = Look(language_of(request), status, more.get("headers"))
    shown = {"fault": fault, "minutes": more.get("minutes"), "signed_out": more.get("signed_out")}
    response = page(
        request,
        "desk/sign_in.html.j2",
        look,
        token=_forgery(request).token(f"sign-in {visit}"),
        provider=_provider(request),
        **shown,
    )
    cookies.give(request, response, cookies.VISIT, visit, VISIT_SECONDS)
    keep_language(request, response)
    return response


def _check(request: Request, fields: Fields, bound_to: str) -> None:
    if not bound_to:
        raise Problem("not_from_here")
    _forgery(request).check(request, only(fields, FIELD), bound_to)


def _forgery(request: Request) -> Forgery:
    held: Forgery = request.app.state.forgery
    return held


def _provider(request: Request) -> str:
    """What the identity provider is called, where there is one."""
    settings = request.app.state.settings
    return settings.oidc_name if settings.oidc_issuer else ""


router.include_router(_open)
router.include_router(_behind)
