"""The way in: whose link is this, may it be answered now, and by this browser?

A link that is wrong, used, revoked, expired or another browser's is told as nothing at all.
"""

import secrets
from typing import Annotated, NamedTuple

from fastapi import Depends, Path, Request
from starlette.responses import Response

from api.deps import peer_of
from api.forms.forgery import Forgery
from api.guard import stranger
from api.limits import RateLimiter
from api.problems import Problem
from api.security.credentials import hashed, matches
from api.settings import Settings
from api.store import links
from api.store.links import Open
from api.store.refusals import Refusals
from api.store.store import Store
from api.store.transaction import Actor
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.loaded import LoadedRulebook

VISITS_PER_MINUTE = 240
WRONG_PER_MINUTE = 30
KIOSK_SECONDS = 900
KIOSK = "nociscreen_kiosk"
HOLDER = "nociscreen_holder"


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
        return stranger(self.way.request)._replace(
            organisation=self.link.organisation, id=self.link.id, means="link"
        )


def by_address(request: Request, link: Annotated[str, Path(max_length=100)]) -> Way:
    """By the link in the address."""
    return Way(request, f"/intake/{link}", link, kiosk=False)


def by_device(request: Request) -> Way:
    """By the link that the device holds."""
    return Way(request, "/kiosk/form", request.cookies.get(KIOSK, "")[:100], kiosk=True)


def visit(way: Way) -> Visit:
    """Who may answer now. Raises Problem `not_found` for everyone else, `too_many`."""
    state = way.request.app.state
    limiter: RateLimiter = state.limiter
    peer = peer_of(way.request)
    limiter.check(f"wrong link {peer}", WRONG_PER_MINUTE)
    limiter.take(f"link {peer}", VISITS_PER_MINUTE)
    link = links.open_now(way.store, way.secret)
    rulebook = link and _rulebook(state.catalogue, link.rulebook)
    if link is None or rulebook is None or not _holds(way.request, link):
        limiter.take(f"wrong link {peer}", WRONG_PER_MINUTE)
        refusals: Refusals = state.refusals
        refusals.record(stranger(way.request), "not_found")
        raise Problem("not_found")
    return Visit(way, link, rulebook)


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
    response.delete_cookie(KIOSK, path="/", httponly=True, samesite="lax")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'


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
