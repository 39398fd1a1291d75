"""Decide whether a request may answer under a link: whether it is open, and in this browser.

A link that is wrong, revoked, expired or bound to another browser is answered with 404. A link
under which the answers were sent says so.
"""

import secrets
from collections.abc import Iterable
from typing import NamedTuple

from fastapi import Request
from starlette.responses import Response

from api.auth.admission import LINK_REQUESTS, WRONG_LINKS, count_for_id, count_for_network
from api.auth.route_guard import build_anonymous_actor
from api.auth.services import find_services
from api.security.client_secrets import hash_secret, verify_secret
from api.store.errors import NotFoundError
from api.store.forms import open_links
from api.store.forms.open_links import OpenLink
from api.store.store import Store
from api.store.transaction import Actor
from api.web import cookies
from api.web.csrf import find_csrf_tokens
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook

MAX_LINK_LENGTH = 100
KIOSK_SECONDS = 900
REVIEW_SECONDS = 3600


class AlreadySentError(Exception):
    """The answers under this link were sent already."""


class LinkAccess(NamedTuple):
    """How a request reached a link: by its URL, or by the cookie of a shared device (kiosk)."""

    request: Request
    base_path: str
    secret: str
    is_kiosk: bool

    @property
    def store(self) -> Store:
        """The store of the application."""
        return find_services(self.request).store

    @property
    def csrf_token(self) -> str:
        """The CSRF token of the forms under this link."""
        return find_csrf_tokens(self.request).issue_token(self._bind("intake"))

    def issue_flags_token(self, flags: Iterable[str]) -> str:
        """Return a token that proves which red flags an advice page showed without naming them."""
        return find_csrf_tokens(self.request).issue_token(self._bind("flags", flags))

    def is_flags_token(self, token: str, flags: Iterable[str]) -> bool:
        """Return whether the token was issued for exactly these red flags."""
        return find_csrf_tokens(self.request).is_valid(token, self._bind("flags", flags))

    @property
    def was_reviewed(self) -> bool:
        """Whether this browser opened the review page within the last hour."""
        token = cookies.read_cookie(self.request, cookies.REVIEWED)
        return find_csrf_tokens(self.request).is_valid(token, self._bind("reviewed"))

    def mark_reviewed(self, response: Response) -> None:
        """Set the cookie by which the browser is recognised when it submits after the review."""
        token = find_csrf_tokens(self.request).issue_token(self._bind("reviewed"))
        cookies.set_cookie(self.request, response, cookies.REVIEWED, token, REVIEW_SECONDS)

    def check_csrf_token(self, token: str) -> None:
        """Raise Problem `csrf_failed` unless the form was issued under this link."""
        find_csrf_tokens(self.request).check_request(self.request, token, self._bind("intake"))

    def _bind(self, purpose: str, flags: Iterable[str] = ()) -> str:
        return " ".join([purpose, hash_secret(self.secret), *sorted(flags)])


class OpenIntake(NamedTuple):
    """An open link with its rulebook, and how the request reached it."""

    access: LinkAccess
    link: OpenLink
    rulebook: LoadedRulebook

    @property
    def actor(self) -> Actor:
        """The actor for the audit: the patient, known by the link."""
        return build_link_actor(self.access, self.link)


def find_access(request: Request) -> LinkAccess:
    """Return the access by the link in the URL, else by the cookie of a shared device."""
    link = request.path_params.get("link")
    if link is None:
        secret = cookies.read_cookie(request, cookies.KIOSK_LINK)[:MAX_LINK_LENGTH]
        return LinkAccess(request, "/kiosk/form", secret, is_kiosk=True)
    if len(link) > MAX_LINK_LENGTH:
        raise NotFoundError
    return LinkAccess(request, f"/intake/{link}", link, is_kiosk=False)


def open_intake(access: LinkAccess, *, is_limited: bool = True) -> OpenIntake:
    """Open the link. Raises AlreadySentError, else NotFoundError if it is not open here.

    Raises TooManyRequestsProblem if this link was opened too often, unless the page is not
    `is_limited`. Wrong links that others try at the same address do not count.
    """
    intake = _open_link(access)
    if is_limited:
        _count_request(access, intake.link)
    return intake


def find_sent_link(access: LinkAccess) -> OpenLink | None:
    """Return the link if its answers were sent and it is not bound to another browser.

    On a shared device only the browser that reviewed the answers finds it.
    """
    link = open_links.find_submitted_link(access.store, access.secret)
    if link is None or not _is_holder(access.request, link):
        return None
    _count_request(access, link)
    return link if access.was_reviewed or not access.is_kiosk else None


def build_link_actor(access: LinkAccess, link: OpenLink) -> Actor:
    """Return the actor for the audit: the patient, known by the link."""
    return build_anonymous_actor(access.request)._replace(
        organisation=link.organisation, id=link.id, means="link"
    )


def bind_to_browser(request: Request, response: Response, link: OpenLink) -> str:
    """Bind the link to the browser by a cookie; return the cookie's secret."""
    holder = secrets.token_urlsafe(32)
    cookies.set_cookie(request, response, _build_holder_name(link), holder)
    return holder


def clear_device(request: Request, response: Response) -> None:
    """Remove every trace of a patient from the device."""
    for name in (cookies.KIOSK_LINK, cookies.REVIEWED):
        cookies.delete_cookie(request, response, name)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def _count_request(access: LinkAccess, link: OpenLink) -> None:
    """Count a request under a link: not by network, which all patients of a clinic may share."""
    count_for_id(access.request, LINK_REQUESTS, link.id)


def _open_link(access: LinkAccess) -> OpenIntake:
    services = find_services(access.request)
    link = open_links.find_open_link(access.store, access.secret)
    rulebook = link and _find_rulebook(services.catalogue, link.rulebook)
    if link is None and find_sent_link(access) is not None:
        raise AlreadySentError
    if link is None or rulebook is None or not _is_holder(access.request, link):
        count_for_network(access.request, WRONG_LINKS)
        refusals = services.denied_requests
        refusals.record(build_anonymous_actor(access.request), "not_found")
        raise NotFoundError
    return OpenIntake(access, link, rulebook)


def _is_holder(request: Request, link: OpenLink) -> bool:
    if link.holder_sha256 is None:
        return True
    return verify_secret(cookies.read_cookie(request, _build_holder_name(link)), link.holder_sha256)


def _build_holder_name(link: OpenLink) -> str:
    return f"{cookies.LINK_HOLDER}_{link.id[:8]}"


def _find_rulebook(catalogue: Catalogue, name: str) -> LoadedRulebook | None:
    try:
        return catalogue.find_active(name)
    except UnknownRulebookError:
        return None
