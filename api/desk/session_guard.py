"""The entrance: who is signed in on this request, what they may do, and pages in their name."""

from collections.abc import Callable, Coroutine
from datetime import timedelta, tzinfo
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api.auth.request_context import Acts
from api.auth.route_guard import stranger
from api.desk import cookies
from api.documents import issuance
from api.documents.document_builder import Printed
from api.problems import Problem
from api.settings import Settings
from api.store.accounts import letterheads, sessions
from api.store.accounts.sessions import Lasting
from api.store.operations.denied_requests import Refusals
from api.store.store import Store
from api.store.transaction import Actor
from api.web.csrf import FIELD, Forgery
from api.web.languages import chosen_language
from api.web.page_route import Fields, PageRoute, fields_of, only
from api.web.page_texts import languages
from api.web.templating import Look, page, see
from schemas.sign_in import SignedIn

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
YEAR_SECONDS = 365 * 24 * 3600
DOOR = "/sign-in"
_SAID = ("not_found", "not_from_here", "too_many", "unavailable", "missing_scope", "conflict")


class Desk(NamedTuple):
    """A practitioner at work, on one request."""

    request: Request
    signed_in: SignedIn
    language: str

    @property
    def store(self) -> Store:
        """Where everything is kept."""
        held: Store = self.request.app.state.store
        return held

    @property
    def actor(self) -> Actor:
        """Who acts."""
        return _actor(self.request, self.signed_in)

    @property
    def acts(self) -> Acts:
        """The practitioner at work."""
        return Acts(self.store, self.actor)

    @property
    def token(self) -> str:
        """The token of the forms on this desk."""
        forgery: Forgery = self.request.app.state.forgery
        return forgery.token(_bound_to(self.signed_in))

    def printed(self) -> Printed:
        """Under which letterhead something is printed."""
        with self.store.reading_on(self.actor) as work:
            return issuance.printed_in(work, test=self.signed_in.test)

    @property
    def clock(self) -> tzinfo:
        """The clock of the organisation."""
        with self.store.glance() as session:
            letterhead = letterheads.of(session, self.signed_in.organisation)
        return ZoneInfo(letterhead.time_zone)

    def may(self, scope: str) -> bool:
        """Whether the practitioner may do this."""
        return scope in self.signed_in.practitioner.scopes

    def need(self, scope: str | None) -> None:
        """Raise Problem `missing_scope` where the practitioner may not do this."""
        if scope is not None and not self.may(scope):
            raise Problem("missing_scope")

    def show(self, template: str, status: int = 200, **shown: Any) -> Response:
        """A page of the desk."""
        response = page(
            self.request,
            f"desk/{template}.html.j2",
            Look(self.language, status),
            desk=self,
            here=self.request.url.path,
            token=self.token,
            **shown,
        )
        keep_language(self.request, response)
        return response

    def go(self, path: str) -> Response:
        """On to another page."""
        return see(self.request, path)


def lasting(settings: Settings) -> Lasting:
    """How long sessions last."""
    return Lasting(
        timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours)
    )


def desk_route(scope: str | None = None) -> type[PageRoute]:
    """A class of routes for practitioners who are signed in and, where it is told, have a scope."""

    class DeskRoute(PageRoute):
        """A route behind the entrance; see `desk_route`."""

        def get_route_handler(self) -> Handler:
            handle = APIRoute.get_route_handler(self)

            async def admitted(request: Request) -> Response:
                try:
                    desk = await run_in_threadpool(_desk, request)
                except Problem as problem:
                    return await _refused(request, None, problem)
                if desk is None:
                    response = see(request, DOOR)
                    cookies.take_back(request, response, cookies.SESSION)
                    return response
                request.state.desk = desk
                try:
                    desk.need(scope)
                    return await handle(request)
                except Problem as problem:
                    return await _refused(request, desk, problem)
                except RequestValidationError:
                    return await _refused(request, desk, Problem("not_found"))

            return admitted

    return DeskRoute


def language_of(request: Request) -> str:
    """The language that was chosen, now or before; else the browser's."""
    before = cookies.given(request, cookies.LANGUAGE)
    if "language" not in request.query_params and before in languages():
        return before
    return chosen_language(request)


def checked(request: Request, desk: Desk, fields: Fields) -> Fields:
    """The fields of a form of this desk. Raises Problem `not_from_here` for any other."""
    forgery: Forgery = request.app.state.forgery
    forgery.check(request, only(fields, FIELD), _bound_to(desk.signed_in))
    return fields


async def _at_desk(request: Request) -> Desk:
    held: Desk = request.state.desk
    return held


AtDesk = Annotated[Desk, Depends(_at_desk)]


async def _form(
    request: Request, desk: AtDesk, fields: Annotated[Fields, Depends(fields_of)]
) -> Fields:
    return checked(request, desk, fields)


Form = Annotated[Fields, Depends(_form)]


def _desk(request: Request) -> Desk | None:
    secret = cookies.given(request, cookies.SESSION)
    if not secret:
        return None
    state = request.app.state
    signed_in = sessions.signed_in(state.store, secret, lasting(state.settings))
    return Desk(request, signed_in, language_of(request)) if signed_in else None


async def _refused(request: Request, desk: Desk | None, problem: Problem) -> Response:
    actor = _actor(request, desk.signed_in) if desk else stranger(request)
    refusals: Refusals = request.app.state.refusals
    await run_in_threadpool(refusals.record, actor, problem.code)
    known = problem.code if problem.code in _SAID else "unexpected"
    look = Look(language_of(request), problem.kind.status, problem.headers)
    shown = {"heading": f"{known}_heading", "told": f"{known}_told"}
    if desk is None:
        return page(request, "problem.html.j2", look, **shown)
    return page(
        request,
        "desk/problem.html.j2",
        look,
        desk=desk,
        here=request.url.path,
        token=desk.token,
        **shown,
    )


def _actor(request: Request, signed_in: SignedIn) -> Actor:
    return stranger(request)._replace(
        organisation=signed_in.organisation, id=signed_in.practitioner.id, means="session"
    )


def _bound_to(signed_in: SignedIn) -> str:
    return f"desk {signed_in.session}"


def keep_language(request: Request, response: Response) -> None:
    """The language that was chosen on this page stays chosen on the next ones."""
    chosen = request.query_params.get("language", "")
    if chosen in languages():
        cookies.give(request, response, cookies.LANGUAGE, chosen, YEAR_SECONDS)
