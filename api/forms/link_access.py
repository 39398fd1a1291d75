"""Decide whether a request may answer under a link: whose link it is, if open, in which browser.

A link that is wrong, used, revoked, expired or bound to another browser is answered with 404.
"""

import secrets
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from fastapi import Path, Request
from starlette.responses import Response

from api.auth.route_guard import stranger
from api.dependencies import peer_of
from api.http.rate_limit import RateLimiter
from api.problems import Problem
from api.security.client_secrets import hashed, matches
from api.settings import Settings
from api.store.forms import links
from api.store.forms.links import Open
from api.store.operations.denied_requests import Refusals
from api.store.store import Store
from api.store.transaction import Actor
from api.web.csrf import csrf_tokens
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook

VISITS_PER_MINUTE = 240
WRONG_PER_MINUTE = 30
KIOSK_SECONDS = 900
KIOSK = "nociscreen_kiosk"
HOLDER = "nociscreen_holder"
LOOKED_THROUGH = "nociscreen_looked_through"
LOOKED_THROUGH_SECONDS = 3600


class Way(NamedTuple):
    """How a request reached a link: by its URL, or by the cookie of a shared device (kiosk)."""

    request: Request
    base: str
    secret: str
    kiosk: bool

    @property
    def store(self) -> Store:
        """The store of the application."""
        store: Store = self.request.app.state.store
        return store

    @property
    def bound_to(self) -> str:
        """The binding of the CSRF tokens under this link."""
        return f"intake {hashed(self.secret)}"

    @property
    def token(self) -> str:
        """The CSRF token of the forms under this link."""
        return csrf_tokens(self.request).token(self.bound_to)

    def mark_of(self, flags: Iterable[str]) -> str:
        """Return a token that proves which red flags an advice page showed without naming them."""
        return csrf_tokens(self.request).token(self._flags_binding(flags))

    def told_of(self, mark: str, flags: Iterable[str]) -> bool:
        """Return whether the token was issued for exactly these red flags."""
        return csrf_tokens(self.request).is_ours(mark, self._flags_binding(flags))

    def _flags_binding(self, flags: Iterable[str]) -> str:
        return f"told of {hashed(self.secret)} {' '.join(sorted(flags))}"

    @property
    def was_looked_through(self) -> bool:
        """Whether this browser opened the review page within the last hour."""
        token = self.request.cookies.get(LOOKED_THROUGH, "")
        return csrf_tokens(self.request).is_ours(token, self._review_binding)

    @property
    def _review_binding(self) -> str:
        return f"looked through {hashed(self.secret)}"

    def look_through(self, response: Response) -> None:
        """Set the cookie by which the browser is recognised when it submits after the review."""
        cookie = LOOKED_THROUGH, csrf_tokens(self.request).token(self._review_binding)
        set_cookie(response, self.request.app.state.settings, cookie, LOOKED_THROUGH_SECONDS)

    def check(self, token: str) -> None:
        """Raise Problem `not_from_here` unless the form was issued under this link."""
        csrf_tokens(self.request).check(self.request, token, self.bound_to)


class Visit(NamedTuple):
    """An open link with its rulebook, and how the request reached it."""

    way: Way
    link: Open
    rulebook: LoadedRulebook

    @property
    def actor(self) -> Actor:
        """The actor for the audit: the patient, known by the link."""
        return _link_actor(self.way, self.link)


def by_address(request: Request, link: Annotated[str, Path(max_length=100)]) -> Way:
    """Return the access by the link in the URL."""
    return Way(request, f"/intake/{link}", link, kiosk=False)


def by_device(request: Request) -> Way:
    """Return the access by the link in the cookie of a shared device."""
    return Way(request, "/kiosk/form", request.cookies.get(KIOSK, "")[:100], kiosk=True)


def visit(way: Way) -> Visit:
    """Open the link. Raises Problem `not_found` if it may not be answered here, `too_many`."""
    _count_request(way)
    return _open_link(way)


def visit_to_send(way: Way) -> Visit | None:
    """Open the link to submit; None if this browser has already submitted. Raises like `visit`."""
    _count_request(way)
    if sent_from_here(way):
        return None
    try:
        return _open_link(way)
    except Problem as problem:
        # another request of this browser may have submitted in the meantime
        if problem.code == "not_found" and sent_from_here(way):
            return None
        raise


def sent_from_here(way: Way) -> bool:
    """Return whether the reviewing browser has already submitted the answers; audits a repeat."""
    link = links.sent(way.store, way.secret) if way.was_looked_through else None
    if link is None:
        return False
    with way.store.transaction(_link_actor(way, link)) as work:
        work.audit("read", "link", link.id, outcome="replayed")
    return True


def hold(response: Response, settings: Settings, link: Open) -> str:
    """Bind the link to the browser by a cookie; return the cookie's secret."""
    holder = secrets.token_urlsafe(32)
    set_cookie(response, settings, (f"{HOLDER}_{link.id[:8]}", holder), None)
    return holder


def set_cookie(
    response: Response, settings: Settings, cookie: tuple[str, str], seconds: int | None
) -> None:
    """Set a cookie that scripts cannot read and forms of other sites do not send."""
    response.set_cookie(
        *cookie,
        max_age=seconds,
        path="/",
        secure=settings.public_url.startswith("https://"),
        httponly=True,
        samesite="lax",
    )


def forget(response: Response) -> None:
    """Remove every trace of a patient from the device."""
    for cookie in (KIOSK, LOOKED_THROUGH):
        response.delete_cookie(cookie, path="/", httponly=True, samesite="lax")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def _count_request(way: Way) -> None:
    limiter: RateLimiter = way.request.app.state.limiter
    peer = peer_of(way.request)
    limiter.check(f"wrong link {peer}", WRONG_PER_MINUTE)
    limiter.take(f"link {peer}", VISITS_PER_MINUTE)


def _open_link(way: Way) -> Visit:
    state = way.request.app.state
    link = links.open_now(way.store, way.secret)
    rulebook = link and _find_rulebook(state.catalogue, link.rulebook)
    if link is None or rulebook is None or not _is_holder(way.request, link):
        limiter: RateLimiter = state.limiter
        limiter.take(f"wrong link {peer_of(way.request)}", WRONG_PER_MINUTE)
        refusals: Refusals = state.refusals
        refusals.record(stranger(way.request), "not_found")
        raise Problem("not_found")
    return Visit(way, link, rulebook)


def _link_actor(way: Way, link: Open) -> Actor:
    return stranger(way.request)._replace(organisation=link.organisation, id=link.id, means="link")


def _is_holder(request: Request, link: Open) -> bool:
    if link.holder is None:
        return True
    return matches(request.cookies.get(f"{HOLDER}_{link.id[:8]}", ""), link.holder)


def _find_rulebook(catalogue: Catalogue, name: str) -> LoadedRulebook | None:
    try:
        return catalogue.active(name)
    except UnknownRulebookError:
        return None
