"""The way in: whose link is this, may it be answered now, and by this browser?

A link that is wrong, used, revoked, expired or another browser's is told as nothing at all.
"""

import secrets
from collections.abc import Iterable
from typing import Annotated, NamedTuple

from fastapi import Depends, Path, Request
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
from api.web.csrf import Forgery
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
    """How someone came: by a link in the address, or at a device that holds it in a cookie."""

    request: Request
    base: str
    secret: str
    kiosk: bool

    @property
    def store(self) -> Store:
        """Where everything is kept."""
        held: Store = self.request.app.state.store
        return held

    @property
    def bound_to(self) -> str:
        """What the tokens of this way's forms are bound to."""
        return f"intake {hashed(self.secret)}"

    @property
    def token(self) -> str:
        """The token of its forms."""
        forgery: Forgery = self.request.app.state.forgery
        return forgery.token(self.bound_to)

    def mark_of(self, flags: Iterable[str]) -> str:
        """By which a page shows that it told of these red flags and no others; it names none."""
        forgery: Forgery = self.request.app.state.forgery
        return forgery.token(self._told_of(flags))

    def told_of(self, mark: str, flags: Iterable[str]) -> bool:
        """Whether the page that bore this mark told of these red flags and no others."""
        forgery: Forgery = self.request.app.state.forgery
        return forgery.is_ours(mark, self._told_of(flags))

    def _told_of(self, flags: Iterable[str]) -> str:
        return f"told of {hashed(self.secret)} {' '.join(sorted(flags))}"

    @property
    def was_looked_through(self) -> bool:
        """Whether this browser looked through the answers, not long ago, to send them."""
        forgery: Forgery = self.request.app.state.forgery
        return forgery.is_ours(self.request.cookies.get(LOOKED_THROUGH, ""), self._to_send)

    @property
    def _to_send(self) -> str:
        return f"looked through {hashed(self.secret)}"

    def look_through(self, response: Response) -> None:
        """Have this browser be known again when it sends what it looks through."""
        state = self.request.app.state
        forgery: Forgery = state.forgery
        held = LOOKED_THROUGH, forgery.token(self._to_send)
        set_cookie(response, state.settings, held, LOOKED_THROUGH_SECONDS)

    def check(self, token: str) -> None:
        """Raise Problem `not_from_here` where the form is not one of this way."""
        forgery: Forgery = self.request.app.state.forgery
        forgery.check(self.request, token, self.bound_to)


class Visit(NamedTuple):
    """An open link, its rulebook, and the way in."""

    way: Way
    link: Open
    rulebook: LoadedRulebook

    @property
    def actor(self) -> Actor:
        """Whoever answers under the link."""
        return _actor(self.way, self.link)


def by_address(request: Request, link: Annotated[str, Path(max_length=100)]) -> Way:
    """By the link in the address."""
    return Way(request, f"/intake/{link}", link, kiosk=False)


def by_device(request: Request) -> Way:
    """By the link that the device holds."""
    return Way(request, "/kiosk/form", request.cookies.get(KIOSK, "")[:100], kiosk=True)


def visit(way: Way) -> Visit:
    """Who may answer now. Raises Problem `not_found` for everyone else, `too_many`."""
    _count(way)
    return _open(way)


def visit_to_send(way: Way) -> Visit | None:
    """Who may send now; None where this browser has sent already. Raises as `visit` does."""
    _count(way)
    if sent_from_here(way):
        return None
    try:
        return _open(way)
    except Problem as problem:
        if problem.code == "not_found" and sent_from_here(way):  # a moment ago
            return None
        raise


def sent_from_here(way: Way) -> bool:
    """Whether the browser that looked through the answers sent them, and comes again."""
    link = links.sent(way.store, way.secret) if way.was_looked_through else None
    if link is None:
        return False
    with way.store.transaction(_actor(way, link)) as work:
        work.audit("read", "link", link.id, outcome="replayed")
    return True


def hold(response: Response, settings: Settings, link: Open) -> str:
    """Give the browser what it will hold the link by; the text of it."""
    holder = secrets.token_urlsafe(32)
    set_cookie(response, settings, (f"{HOLDER}_{link.id[:8]}", holder), None)
    return holder


def set_cookie(
    response: Response, settings: Settings, cookie: tuple[str, str], seconds: int | None
) -> None:
    """A cookie that no script reads and no other site sends by a form."""
    response.set_cookie(
        *cookie,
        max_age=seconds,
        path="/",
        secure=settings.public_url.startswith("https://"),
        httponly=True,
        samesite="lax",
    )


def forget(response: Response) -> None:
    """Take from the device whatever it may hold of anybody."""
    for each in (KIOSK, LOOKED_THROUGH):
        response.delete_cookie(each, path="/", httponly=True, samesite="lax")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


def _count(way: Way) -> None:
    limiter: RateLimiter = way.request.app.state.limiter
    peer = peer_of(way.request)
    limiter.check(f"wrong link {peer}", WRONG_PER_MINUTE)
    limiter.take(f"link {peer}", VISITS_PER_MINUTE)


def _open(way: Way) -> Visit:
    state = way.request.app.state
    link = links.open_now(way.store, way.secret)
    rulebook = link and _rulebook(state.catalogue, link.rulebook)
    if link is None or rulebook is None or not _holds(way.request, link):
        limiter: RateLimiter = state.limiter
        limiter.take(f"wrong link {peer_of(way.request)}", WRONG_PER_MINUTE)
        refusals: Refusals = state.refusals
        refusals.record(stranger(way.request), "not_found")
        raise Problem("not_found")
    return Visit(way, link, rulebook)


def _actor(way: Way, link: Open) -> Actor:
    return stranger(way.request)._replace(organisation=link.organisation, id=link.id, means="link")


def _holds(request: Request, link: Open) -> bool:
    if link.holder is None:
        return True
    given = request.cookies.get(f"{HOLDER}_{link.id[:8]}", "")
    return matches(given, link.holder)


def _rulebook(catalogue: Catalogue, name: str) -> LoadedRulebook | None:
    try:
        return catalogue.active(name)
    except UnknownRulebookError:
        return None


ByAddress = Annotated[Way, Depends(by_address)]
ByDevice = Annotated[Way, Depends(by_device)]
