"""Admit signed-in practitioners to a route, check their scope and render pages for them."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta, tzinfo
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api.auth.request_context import RequestContext
from api.auth.route_guard import build_anonymous_actor
from api.desk import cookies
from api.documents import issuance
from api.documents.document_builder import PrintSettings
from api.problems import Problem
from api.settings import Settings
from api.store.accounts import letterheads, sessions
from api.store.accounts.sessions import SessionLifetimes
from api.store.operations.denied_requests import DeniedRequestLog
from api.store.store import Store
from api.store.transaction import Actor
from api.web.csrf import CSRF_FIELD, find_csrf_tokens
from api.web.languages import negotiate_language
from api.web.page_route import (
    FormFields,
    PageRoute,
    choose_problem_phrases,
    read_field,
    read_page_form,
)
from api.web.page_texts import list_languages
from api.web.templating import PageOptions, redirect_to, render_page
from schemas.sign_in import PractitionerSession

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
YEAR_SECONDS = 365 * 24 * 3600
LOGIN_PATH = "/sign-in"
_CODES_WITH_TEXT = (
    "not_found", "not_from_here", "too_many", "unavailable", "missing_scope", "conflict",
)  # fmt: skip


class PractitionerPage(NamedTuple):
    """One request of a signed-in practitioner: their rights, and pages rendered for them."""

    request: Request
    signed_in: PractitionerSession
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
    def context(self) -> RequestContext:
        """The context for transactions in the practitioner's name."""
        return RequestContext(self.store, self.actor)

    @property
    def csrf_token(self) -> str:
        """The CSRF token of the forms in this session."""
        return find_csrf_tokens(self.request).issue_token(_csrf_binding(self.signed_in))

    @property
    def time_zone(self) -> tzinfo:
        """The time zone of the organisation."""
        with self.store.read_all_organisations() as session:
            letterhead = letterheads.find_letterhead(session, self.signed_in.organisation)
        return ZoneInfo(letterhead.time_zone)

    def load_print_settings(self) -> PrintSettings:
        """Return the letterhead and the settings under which documents are printed."""
        with self.store.continue_read(self.actor) as work:
            return issuance.load_print_settings(work, test=self.signed_in.test)

    def has_scope(self, scope: str) -> bool:
        """Return whether the practitioner has this scope."""
        return scope in self.signed_in.practitioner.scopes

    def require_scope(self, scope: str | None) -> None:
        """Raise Problem `missing_scope` unless the practitioner has the scope, if one is given."""
        if scope is not None and not self.has_scope(scope):
            raise Problem("missing_scope")

    def render(self, template: str, status: int = 200, **variables: Any) -> Response:
        """Render a page of the desk."""
        look = PageOptions(self.language, status)
        response = _render(self, f"desk/{template}.html.j2", look, variables)
        remember_language(self.request, response)
        return response

    def redirect(self, path: str) -> Response:
        """Redirect to another page."""
        return redirect_to(self.request, path)


def session_lifetimes(settings: Settings) -> SessionLifetimes:
    """Return how long sessions last, idle and in total."""
    return SessionLifetimes(
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
                    response = redirect_to(request, LOGIN_PATH)
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
    if "language" not in request.query_params and previous in list_languages():
        return previous
    return negotiate_language(request)


def remember_language(request: Request, response: Response) -> None:
    """Keep the language chosen on this page for the next pages."""
    language = request.query_params.get("language", "")
    if language in list_languages():
        cookies.set_cookie(request, response, cookies.LANGUAGE, language, YEAR_SECONDS)


async def _current_page(request: Request) -> PractitionerPage:
    desk: PractitionerPage = request.state.desk
    return desk


PractitionerPageDep = Annotated[PractitionerPage, Depends(_current_page)]


async def _checked_fields(
    request: Request,
    desk: PractitionerPageDep,
    fields: Annotated[FormFields, Depends(read_page_form)],
) -> FormFields:
    """Return the form fields. Raises Problem `not_from_here` without this session's token."""
    find_csrf_tokens(request).check_request(
        request, read_field(fields, CSRF_FIELD), _csrf_binding(desk.signed_in)
    )
    return fields


CheckedFields = Annotated[FormFields, Depends(_checked_fields)]


def _find_session(request: Request) -> PractitionerPage | None:
    secret = cookies.read_cookie(request, cookies.SESSION)
    if not secret:
        return None
    state = request.app.state
    signed_in = sessions.look_up_session(state.store, secret, session_lifetimes(state.settings))
    return PractitionerPage(request, signed_in, select_language(request)) if signed_in else None


async def _refuse(request: Request, desk: PractitionerPage | None, problem: Problem) -> Response:
    actor = desk.actor if desk else build_anonymous_actor(request)
    refusals: DeniedRequestLog = request.app.state.refusals
    await run_in_threadpool(refusals.record, actor, problem.code)
    look = PageOptions(select_language(request), problem.definition.status, problem.headers)
    phrases = choose_problem_phrases(problem, _CODES_WITH_TEXT)
    if desk is None:
        return render_page(request, "problem.html.j2", look, **phrases)
    return _render(desk, "desk/problem.html.j2", look, phrases)


def _render(
    desk: PractitionerPage, template: str, look: PageOptions, variables: Mapping[str, Any]
) -> Response:
    return render_page(
        desk.request,
        template,
        look,
        desk=desk,
        current_path=desk.request.url.path,
        token=desk.csrf_token,
        **variables,
    )


def _practitioner_actor(request: Request, signed_in: PractitionerSession) -> Actor:
    return build_anonymous_actor(request)._replace(
        organisation=signed_in.organisation, id=signed_in.practitioner.id, means="session"
    )


def _csrf_binding(signed_in: PractitionerSession) -> str:
    return f"desk {signed_in.session}"
