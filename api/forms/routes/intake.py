"""The intake form: one patient answers under one link, page by page, and sends the answers once.

What was sent of a page is kept before the next one is shown. A red flag is shown at once, and
nothing else until its advice was read.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import TypeAdapter

from api.forms import handlers, views
from api.forms.answer_parser import kept_marks
from api.forms.link_access import (
    KIOSK,
    KIOSK_SECONDS,
    Way,
    by_address,
    by_device,
    forget,
    sent_from_here,
    set_cookie,
    visit,
    visit_to_send,
)
from api.forms.page_context import scene_of, turn
from api.intakes.models import KeptIntake, any_intake
from api.problems import Problem
from api.web.languages import chosen_language
from api.web.page_route import Fields, PageRoute, fields_of, only
from api.web.templating import page, see
from scoring.catalogue import Catalogue

Sent = Annotated[Fields, Depends(fields_of)]
Number = Annotated[int, Path(ge=1, le=200)]
WayIn = Callable[..., Way]


def router(catalogue: Catalogue) -> APIRouter:
    """The routes of both ways in."""
    routes = APIRouter(route_class=PageRoute)
    checked = TypeAdapter[Any](any_intake(catalogue.scored(), KeptIntake))
    ways: tuple[tuple[str, WayIn], ...] = (
        ("/kiosk/form", by_device),
        ("/intake/{link}", by_address),
    )
    for at, way_in in ways:
        _begin(routes, at, way_in)
        _advise(routes, at, way_in)
        _send(routes, at, way_in, checked)
        _ask(routes, at, way_in)
    _kiosk(routes)
    return routes


def _kiosk(routes: APIRouter) -> None:
    @routes.get("/kiosk")
    def kiosk(request: Request) -> Response:
        """A device between two patients: nothing of anybody is on it."""
        response = page(request, "intake/kiosk.html.j2")
        forget(response)
        return response

    @routes.get("/kiosk/{link}")
    def take_link(request: Request, link: Annotated[str, Path(max_length=100)]) -> Response:
        """The link goes out of the address into a cookie that lasts for minutes."""
        visit(Way(request, "/kiosk/form", link, kiosk=True))
        response = see(request, "/kiosk/form")
        set_cookie(response, request.app.state.settings, (KIOSK, link), KIOSK_SECONDS)
        return response


def _begin(routes: APIRouter, at: str, way_in: WayIn) -> None:
    @routes.get(at)
    def first(way: Annotated[Way, Depends(way_in)]) -> Response:
        """What this is, to what the patient agrees, and what becomes of the answers."""
        return views.first(scene_of(visit(way)))

    @routes.post(at)
    def begin(way: Annotated[Way, Depends(way_in)], fields: Sent) -> Response:
        """Agreed to: from now on there is a draft; or on where it was stopped."""
        seen = visit(way)
        way.check(only(fields, "token"))
        return turn(seen, partial(handlers.agreed, fields=fields))


def _ask(routes: APIRouter, at: str, way_in: WayIn) -> None:
    @routes.get(at + "/{number}")
    def ask(way: Annotated[Way, Depends(way_in)], number: Number) -> Response:
        """One step, as it was left."""
        scene = scene_of(visit(way))
        step = scene.step(number)
        if step is None:
            return scene.elsewhere()
        draft = scene.course.draft
        return views.asking(scene, number, kept_marks(step, draft.answers, draft.left), {})

    @routes.post(at + "/{number}")
    def answer(way: Annotated[Way, Depends(way_in)], number: Number, fields: Sent) -> Response:
        """What was answered is kept; then on, back, or away for now."""
        seen = visit(way)
        way.check(only(fields, "token"))
        return turn(seen, partial(handlers.answered, number=number, fields=fields))


def _advise(routes: APIRouter, at: str, way_in: WayIn) -> None:
    @routes.get(at + "/advice")
    def advise(way: Annotated[Way, Depends(way_in)]) -> Response:
        """What to do now; nothing else is shown until it was read."""
        return views.advising(scene_of(visit(way)))

    @routes.post(at + "/advice")
    def advised(way: Annotated[Way, Depends(way_in)], fields: Sent) -> Response:
        """Read, and on to where the patient was going."""
        seen = visit(way)
        way.check(only(fields, "token"))
        return turn(seen, partial(handlers.advised, fields=fields))


def _send(routes: APIRouter, at: str, way_in: WayIn, checked: TypeAdapter[Any]) -> None:
    @routes.get(at + "/review")
    def review(way: Annotated[Way, Depends(way_in)]) -> Response:
        """Everything that was answered, to look through before it is sent."""
        scene = scene_of(visit(way))
        if scene.begun is None or scene.begun.unread:
            return scene.elsewhere()
        return views.reviewing(scene)

    @routes.post(at + "/review")
    def send(way: Annotated[Way, Depends(way_in)], fields: Sent) -> Response:
        """The answers are kept as a screening and the link is used up, both or neither."""
        seen = visit_to_send(way)
        way.check(only(fields, "token"))
        if seen is not None:
            take = partial(handlers.sending, to=only(fields, "to"), checked=checked)
            try:
                return turn(seen, take)
            except Problem as problem:
                if problem.code != "not_found" or not sent_from_here(way):
                    raise
        return views.sent(way, chosen_language(way.request), {})  # sent twice: it arrived
