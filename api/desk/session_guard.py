"""Admit signed-in practitioners to a route, check their scope and render pages for them."""

from collections.abc import Callable, Coroutine, Mapping
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
from api.web.csrf import FIELD, csrf_tokens
from api.web.languages import chosen_language
from api.web.page_route import Fields, PageRoute, fields_of, only, problem_phrases
from api.web.page_texts import languages
from api.web.templating import Look, page, see
from schemas.sign_in import SignedIn

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
YEAR_SECONDS = 365 * 24 * 3600
LOGIN_PATH = "/sign-in"
_CODES_WITH_TEXT = (
    "not_found", "not_from_here", "too_many", "unavailable", "missing_scope", "conflict",
)  # fmt: skip


class PractitionerPage(NamedTuple):
    """One request of a signed-in practitioner: their rights, and pages rendered for them."""

    request: Request
    signed_in: SignedIn
    language: str

    @property
    def store(self) -> Store:
        """The store of the application."""
        store: Store = self.request.app.state.store
        return store

    @property
    def actor(self) -> Actor:
        """The practitioner as the actor of the audit."""
        return _practitioner_actor(self.request, self.signed_in)

    @property
    def context(self) -> Acts:
        """The context for transactions in the practitioner's name."""
        return Acts(self.store, self.actor)

    @property
    def csrf_token(self) -> str:
        """The CSRF token of the forms in this session."""
        return csrf_tokens(self.request).token(_csrf_binding(self.signed_in))

    @property
    def time_zone(self) -> tzinfo:
        """The time zone of the organisation."""
        with self.store.glance() as session:
            letterhead = letterheads.of(session, self.signed_in.organisation)
        return ZoneInfo(letterhead.time_zone)

    def load_print_settings(self) -> Printed:
        """Return the letterhead and the settings under which documents are printed."""
        with self.store.reading_on(self.actor) as work:
            return issuance.printed_in(work, test=self.signed_in.test)

    def has_scope(self, scope: str) -> bool:
        """Return whether the practitioner has this scope."""
        return scope in self.signed_in.practitioner.scopes

    def require_scope(self, scope: str | None) -> None:
        """Raise Problem `missing_scope` unless the practitioner has the scope, if one is given."""
        if scope is not None and not self.has_scope(scope):
            raise Problem("missing_scope")

    def render(self, template: str, status: int = 200, **variables: Any) -> Response:
        """Render a page of the desk."""
        look = Look(self.language, status)
        response = _render(self, f"desk/{template}.html.j2", look, variables)
        remember_language(self.request, response)
        return response

    def redirect(self, path: str) -> Response:
        """Redirect to another page."""
        return see(self.request, path)


def session_lifetimes(settings: Settings) -> Lasting:
    """Return how long sessions last, idle and in total."""
    return Lasting(
        timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours)
    )


def build_desk_route(scope: str | None = None) -> type[PageRoute]:
    """Return a route class that requires a signed-in practitioner and, if given, a scope."""

    class DeskRoute(PageRoute):
        """A route that requires a session; see `build_desk_route`."""

        def get_route_handler(self) -> Handler:
            handle = APIRoute.get_route_handler(self)

            async def handle_with_session(request: Request) -> Response:
                try:
                    desk = await run_in_threadpool(_find_session, request)
                except Problem as problem:
                    return await _refuse(request, None, problem)
                if desk is None:
                    response = see(request, LOGIN_PATH)
                    cookies.delete_cookie(request, response, cookies.SESSION)
                    return response
                request.state.desk = desk
                try:
                    desk.require_scope(scope)
                    return await handle(request)
                except Problem as problem:
                    return await _refuse(request, desk, problem)
                except RequestValidationError:
                    return await _refuse(request, desk, Problem("not_found"))

            return handle_with_session

    return DeskRoute


def select_language(request: Request) -> str:
    """Return the language chosen on this page or a previous one, else the browser's."""
    previous = cookies.read_cookie(request, cookies.LANGUAGE)
    if "language" not in request.query_params and previous in languages():
        return previous
    return chosen_language(request)


def remember_language(request: Request, response: Response) -> None:
    """Keep the language chosen on this page for the next pages."""
    language = request.query_params.get("language", "")
    if language in languages():
        cookies.set_cookie(request, response, cookies.LANGUAGE, language, YEAR_SECONDS)


async def _current_page(request: Request) -> PractitionerPage:
    desk: PractitionerPage = request.state.desk
    return desk


PractitionerPageDep = Annotated[PractitionerPage, Depends(_current_page)]


async def _checked_fields(
    request: Request, desk: PractitionerPageDep, fields: Annotated[Fields, Depends(fields_of)]
) -> Fields:
    """Return the form fields. Raises Problem `not_from_here` without this session's token."""
    csrf_tokens(request).check(request, only(fields, FIELD), _csrf_binding(desk.signed_in))
    return fields


CheckedFields = Annotated[Fields, Depends(_checked_fields)]


def _find_session(request: Request) -> PractitionerPage | None:
    secret = cookies.read_cookie(request, cookies.SESSION)
    if not secret:
        return None
    state = request.app.state
    signed_in = sessions.signed_in(state.store, secret, session_lifetimes(state.settings))
    return PractitionerPage(request, signed_in, select_language(request)) if signed_in else None


async def _refuse(request: Request, desk: PractitionerPage | None, problem: Problem) -> Response:
    actor = desk.actor if desk else stranger(request)
    refusals: Refusals = request.app.state.refusals
    await run_in_threadpool(refusals.record, actor, problem.code)
    look = Look(select_language(request), problem.kind.status, problem.headers)
    phrases = problem_phrases(problem, _CODES_WITH_TEXT)
    if desk is None:
        return page(request, "problem.html.j2", look, **phrases)
    return _render(desk, "desk/problem.html.j2", look, phrases)


def _render(
    desk: PractitionerPage, template: str, look: Look, variables: Mapping[str, Any]
) -> Response:
    return page(
        desk.request,
        template,
        look,
        desk=desk,
        current_path=desk.request.url.path,
        token=desk.csrf_token,
        **variables,
    )


def _practitioner_actor(request: Request, signed_in: SignedIn) -> Actor:
    return stranger(request)._replace(
        organisation=signed_in.organisation, id=signed_in.practitioner.id, means="session"
    )


def _csrf_binding(signed_in: SignedIn) -> str:
    return f"desk {signed_in.session}"
