"""Decide whether a request may answer under a link: whose link it is, if open, in which browser.

A link that is wrong, used, revoked, expired or bound to another browser is answered with 404.
"""

import secrets
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from fastapi import Path, Request
from starlette.responses import Response

from api.auth.route_guard import build_anonymous_actor
from api.dependencies import read_peer_address
from api.http.rate_limit import RateLimiter
from api.problems import Problem
from api.security.client_secrets import hash_secret, verify_secret
from api.settings import Settings
from api.store.forms import links
from api.store.forms.links import OpenLink
from api.store.operations.denied_requests import DeniedRequestLog
from api.store.store import Store
from api.store.transaction import Actor
from api.web.csrf import find_csrf_tokens
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook

LINK_REQUESTS_PER_MINUTE = 240
WRONG_LINKS_PER_MINUTE = 30
KIOSK_SECONDS = 900
KIOSK_COOKIE = "nociscreen_kiosk"
HOLDER_COOKIE = "nociscreen_holder"
REVIEW_COOKIE = "nociscreen_looked_through"
REVIEW_SECONDS = 3600


class LinkAccess(NamedTuple):
    """How a request reached a link: by its URL, or by the cookie of a shared device (kiosk)."""

    request: Request
    base_path: str
    secret: str
    is_kiosk: bool

    @property
    def store(self) -> Store:
        """The store of the application."""
        store: Store = self.request.app.state.store
        return store

    @property
    def csrf_binding(self) -> str:
        """The binding of the CSRF tokens under this link."""
        return f"intake {hash_secret(self.secret)}"

    @property
    def csrf_token(self) -> str:
        """The CSRF token of the forms under this link."""
        return find_csrf_tokens(self.request).issue_token(self.csrf_binding)

    def issue_flags_token(self, flags: Iterable[str]) -> str:
        """Return a token that proves which red flags an advice page showed without naming them."""
        return find_csrf_tokens(self.request).issue_token(self._flags_binding(flags))

    def is_flags_token(self, token: str, flags: Iterable[str]) -> bool:
        """Return whether the token was issued for exactly these red flags."""
        return find_csrf_tokens(self.request).is_valid(token, self._flags_binding(flags))

    def _flags_binding(self, flags: Iterable[str]) -> str:
        return f"told of {hash_secret(self.secret)} {' '.join(sorted(flags))}"

    @property
    def was_reviewed(self) -> bool:
        """Whether this browser opened the review page within the last hour."""
        token = self.request.cookies.get(REVIEW_COOKIE, "")
        return find_csrf_tokens(self.request).is_valid(token, self._review_binding)

    @property
    def _review_binding(self) -> str:
        return f"looked through {hash_secret(self.secret)}"

    def mark_reviewed(self, response: Response) -> None:
        """Set the cookie by which the browser is recognised when it submits after the review."""
        cookie = REVIEW_COOKIE, find_csrf_tokens(self.request).issue_token(self._review_binding)
        set_intake_cookie(response, self.request.app.state.settings, cookie, REVIEW_SECONDS)

    def check_csrf_token(self, token: str) -> None:
        """Raise Problem `not_from_here` unless the form was issued under this link."""
        find_csrf_tokens(self.request).check_request(self.request, token, self.csrf_binding)


class OpenIntake(NamedTuple):
    """An open link with its rulebook, and how the request reached it."""

    access: LinkAccess
    link: OpenLink
    rulebook: LoadedRulebook

    @property
    def actor(self) -> Actor:
        """The actor for the audit: the patient, known by the link."""
        return _link_actor(self.access, self.link)


def find_access_by_url(request: Request, link: Annotated[str, Path(max_length=100)]) -> LinkAccess:
    """Return the access by the link in the URL."""
    return LinkAccess(request, f"/intake/{link}", link, is_kiosk=False)


def find_access_by_cookie(request: Request) -> LinkAccess:
    """Return the access by the link in the cookie of a shared device."""
    return LinkAccess(
        request, "/kiosk/form", request.cookies.get(KIOSK_COOKIE, "")[:100], is_kiosk=True
    )


def open_intake(access: LinkAccess) -> OpenIntake:
    """Open the link. Raises Problem `not_found` if it may not be answered here, `too_many`."""
    _count_request(access)
    return _open_link(access)


def open_intake_to_submit(access: LinkAccess) -> OpenIntake | None:
    """Open the link to submit; None if this browser has already submitted. Raises like `visit`."""
    _count_request(access)
    if has_submitted(access):
        return None
    try:
        return _open_link(access)
    except Problem as problem:
        # another request of this browser may have submitted in the meantime
        if problem.code == "not_found" and has_submitted(access):
            return None
        raise


def has_submitted(access: LinkAccess) -> bool:
    """Return whether the reviewing browser has already submitted the answers; audits a repeat."""
    link = links.find_submitted_link(access.store, access.secret) if access.was_reviewed else None
    if link is None:
        return False
    with access.store.transaction(_link_actor(access, link)) as work:
        work.audit("read", "link", link.id, outcome="replayed")
    return True


def bind_to_browser(response: Response, settings: Settings, link: OpenLink) -> str:
    """Bind the link to the browser by a cookie; return the cookie's secret."""
    holder = secrets.token_urlsafe(32)
    set_intake_cookie(response, settings, (f"{HOLDER_COOKIE}_{link.id[:8]}", holder), None)
    return holder


def set_intake_cookie(
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


def clear_device(response: Response) -> None:
    """Remove every trace of a patient from the device."""
    for cookie in (KIOSK_COOKIE, REVIEW_COOKIE):
        response.delete_cookie(cookie, path="/", httponly=True, samesite="lax")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def _count_request(way: LinkAccess) -> None:
    limiter: RateLimiter = way.request.app.state.limiter
    peer = read_peer_address(way.request)
    limiter.check(f"wrong link {peer}", WRONG_LINKS_PER_MINUTE)
    limiter.take(f"link {peer}", LINK_REQUESTS_PER_MINUTE)


def _open_link(way: LinkAccess) -> OpenIntake:
    state = way.request.app.state
    link = links.find_open_link(way.store, way.secret)
    rulebook = link and _find_rulebook(state.catalogue, link.rulebook)
    if link is None or rulebook is None or not _is_holder(way.request, link):
        limiter: RateLimiter = state.limiter
        limiter.take(f"wrong link {read_peer_address(way.request)}", WRONG_LINKS_PER_MINUTE)
        refusals: DeniedRequestLog = state.refusals
        refusals.record(build_anonymous_actor(way.request), "not_found")
        raise Problem("not_found")
    return OpenIntake(way, link, rulebook)


def _link_actor(way: LinkAccess, link: OpenLink) -> Actor:
    return build_anonymous_actor(way.request)._replace(
        organisation=link.organisation, id=link.id, means="link"
    )


def _is_holder(request: Request, link: OpenLink) -> bool:
    if link.holder_sha256 is None:
        return True
    return verify_secret(
        request.cookies.get(f"{HOLDER_COOKIE}_{link.id[:8]}", ""), link.holder_sha256
    )


def _find_rulebook(catalogue: Catalogue, name: str) -> LoadedRulebook | None:
    try:
        return catalogue.find_active(name)
    except UnknownRulebookError:
        return None
