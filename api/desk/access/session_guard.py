"""Admit signed-in practitioners to a route, check their scope and render pages for them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from api.auth.admission import FORMS_AFTER_SESSION, count_for_network
from api.auth.request_context import RequestContext
from api.auth.route_guard import build_anonymous_actor
from api.auth.services import find_services
from api.desk import kept_forms
from api.desk.screening_rows import DisplayFormatter
from api.documents import issuance
from api.documents.document_builder import PrintSettings
from api.http.errors.error_conversion import CLIENT_ERRORS, convert_error
from api.problems import Problem
from api.security.scopes import SCOPES
from api.settings import Settings
from api.store.accounts import kept_forms as stored_forms
from api.store.accounts import letterheads, sessions
from api.store.accounts.kept_forms import KeptForm
from api.store.accounts.sessions import SessionLifetimes
from api.store.forms import form_settings
from api.store.store import Store
from api.store.transaction import Actor, Authority
from api.web import cookies, page_route
from api.web.csrf import CSRF_FIELD, find_csrf_tokens
from api.web.page_texts import list_languages, select_page_language
from api.web.templating import PageOptions, redirect_to, render_page
from schemas.organisations.form_settings import FormSettings
from schemas.organisations.sign_in import PractitionerSession
from scoring.catalogue import Catalogue

YEAR_SECONDS = 365 * 24 * 3600
LOGIN_PATH = "/sign-in"
FAULTS_PATH = "/desk/faults"
"""Shows a page with the faults of what was submitted, so that Back and Reload show it again."""
FAULTY_PAGE_FIELD = "page"
STATUS_FAULTY = 422
ENDED_PATH = f"{LOGIN_PATH}?ended"
KEPT_PATH = f"{LOGIN_PATH}?kept"
SETTINGS_PAGES = (
    ("/desk/practice", "desk_practice", "organisation:admin"),
    ("/desk/practice/numbers", "desk_numbers", "organisation:admin"),
    ("/desk/forms", "desk_forms", "organisation:admin"),
    ("/desk/practice/practitioners", "desk_practitioners", "organisation:admin"),
    ("/desk/practice/programs", "desk_programs", "clients:admin"),
    ("/desk/practice/destinations", "desk_destinations", "destinations:admin"),
    ("/desk/practice/patient-data", "desk_patient_data", "patients:admin"),
    ("/desk/practice/approvals", "desk_approvals", "patients:admin clients:admin"),
)
"""The settings pages in the order of their navigation, each with its phrase and its scopes."""
_CODES_WITH_TEXT = (*page_route.CODES_WITH_TEXT, "insufficient_scope", "not_grantable", "conflict")


class PractitionerPage(NamedTuple):
    """One request of a signed-in practitioner: their rights, and pages rendered for them."""

    request: Request
    signed_in: PractitionerSession
    language: str

    @property
    def store(self) -> Store:
        """The store of the application."""
        return find_services(self.request).store

    @property
    def actor(self) -> Actor:
        """The practitioner as the actor of the audit."""
        practitioner = self.signed_in.practitioner
        limit = find_services(self.request).settings.client_requests_per_minute
        authority = Authority(frozenset(practitioner.scopes), limit, limit)
        actor = build_session_actor(self.request, self.signed_in.organisation, practitioner.id)
        return actor._replace(authority=authority)

    @property
    def context(self) -> RequestContext:
        """The context for transactions in the practitioner's name."""
        return RequestContext(self.store, self.actor)

    @property
    def csrf_token(self) -> str:
        """The CSRF token of the forms in this session."""
        binding = kept_forms.build_csrf_binding(self.signed_in.session)
        return find_csrf_tokens(self.request).issue_token(binding)

    @property
    def time_zone(self) -> tzinfo:
        """The time zone of the organisation."""
        with self.store.read_all_organisations() as session:
            letterhead = letterheads.find_letterhead(session, self.signed_in.organisation)
        return ZoneInfo(letterhead.time_zone)

    @property
    def rulebooks(self) -> Catalogue:
        """The rulebooks of the application."""
        return find_services(self.request).catalogue

    @property
    def formatter(self) -> DisplayFormatter:
        """The formatter of rulebook terms, days and times for this practitioner."""
        return DisplayFormatter(self.rulebooks, self.language, self.time_zone)

    def read_form_settings(self) -> FormSettings:
        """Return the settings of the organisation's forms."""
        with self.context.transaction() as work:
            settings = form_settings.load_form_settings(work)
            work.audit("read", "form_settings")
        return settings

    def load_print_settings(self) -> PrintSettings:
        """Return the letterhead and the settings under which documents are printed."""
        with self.store.continue_read(self.actor) as work:
            return issuance.load_print_settings(work, test=self.signed_in.test)

    def has_scope(self, scope: str) -> bool:
        """Return whether the practitioner has this scope."""
        return scope in self.signed_in.practitioner.scopes

    @property
    def settings_pages(self) -> tuple[tuple[str, str], ...]:
        """The address and the phrase of each settings page that the practitioner may open."""
        return tuple(
            (path, name)
            for path, name, scopes in SETTINGS_PAGES
            if any(map(self.has_scope, scopes.split()))
        )

    def list_grantable_scopes(self, current: Sequence[str] = ()) -> list[str]:
        """Return the scopes to offer: those that the practitioner has, and the current ones."""
        return [scope for scope in SCOPES if scope in current or self.has_scope(scope)]

    def require_scope(self, scope: str | None) -> None:
        """Raise Problem `insufficient_scope` if a scope is given that the practitioner lacks."""
        if scope is not None and not self.has_scope(scope):
            raise Problem("insufficient_scope")

    def render(self, template: str, status: int = 200, **variables: Any) -> Response:
        """Render a page of the desk; after a submission with faults, redirect to the page."""
        options = PageOptions(self.language, status)
        response = _render(self, f"desk/{template}.html.j2", options, variables)
        if status == STATUS_FAULTY and self.request.method == "POST":
            html = bytes(response.body).decode()
            return self.redirect_with_form(FAULTS_PATH, {FAULTY_PAGE_FIELD: [html]})
        remember_language(self.request, response)
        return response

    def redirect(self, path: str) -> Response:
        """Redirect to another page."""
        return redirect_to(self.request, path)

    def seal_owner(self, page: str) -> str:
        """Return the note that lets a form on this page be kept for this practitioner."""
        return kept_forms.seal_owner(self.request, self.signed_in, page)

    def redirect_with_form(self, page: str, fields: page_route.FormFields) -> Response:
        """Keep a form that cannot be saved, and redirect to its page, which shows its faults."""
        owner = kept_forms.FormOwner(
            self.signed_in.organisation,
            self.signed_in.practitioner.id,
            self.signed_in.session,
            page,
        )
        form_id = kept_forms.keep_form(
            self.request, self.actor, owner, fields, is_after_session=False
        )
        return self.redirect(kept_forms.build_kept_url(page, form_id))

    def find_kept_form(self, page: str) -> KeptForm | None:
        """Return the form of this page that the address names, if this practitioner sent it."""
        form_id = self.request.query_params.get(kept_forms.KEPT_PARAMETER, "")[:64]
        if not form_id:
            return None
        practitioner = self.signed_in.practitioner.id
        with self.context.transaction() as work:
            kept_form = stored_forms.find_kept_form(work, practitioner, form_id)
            work.audit("read", "kept_form", form_id if kept_form else "")
        return kept_form if kept_form and kept_form.page == page else None


def build_session_actor(request: Request, organisation: str, practitioner: str) -> Actor:
    """Return a practitioner who acts in the browser."""
    actor = build_anonymous_actor(request)
    return actor._replace(organisation=organisation, id=practitioner, means="session")


def read_session_lifetimes(settings: Settings) -> SessionLifetimes:
    """Return how long sessions last, idle and in total."""
    return SessionLifetimes(
        timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours)
    )


def build_desk_route(scope: str | None = None) -> type[page_route.PageRoute]:
    """Return a route class that requires a signed-in practitioner and, if given, a scope."""

    class DeskRoute(page_route.PageRoute):
        """A route that requires a session; see `build_desk_route`."""

        def get_route_handler(self) -> page_route.PageHandler:
            handle = APIRoute.get_route_handler(self)

            async def handle_with_session(request: Request) -> Response:
                response = await answer(request)
                if secret := getattr(request.state, "renewed_session", ""):
                    cookies.set_cookie(request, response, cookies.SESSION, secret)
                return response

            async def answer(request: Request) -> Response:
                try:
                    desk = await run_in_threadpool(find_practitioner_page, request)
                except CLIENT_ERRORS as error:
                    return await _refuse(request, None, convert_error(error))
                if desk is None:
                    return await _end_session(request)
                request.state.desk = desk
                try:
                    desk.require_scope(scope)
                    return await handle(request)
                except _EarlierSessionForm as form:
                    return await run_in_threadpool(_return_form, desk, form)
                except CLIENT_ERRORS as error:
                    return await _refuse(request, desk, convert_error(error))
                except RequestValidationError:
                    return await _refuse(request, desk, Problem("not_found"))

            return handle_with_session

    return DeskRoute


def find_practitioner_page(request: Request) -> PractitionerPage | None:
    """Return the page of the practitioner who is signed in in this browser, if any."""
    secret = cookies.read_cookie(request, cookies.SESSION)
    if not secret:
        return None
    services = find_services(request)
    lifetimes = read_session_lifetimes(services.settings)
    signed_in = sessions.look_up_session(services.store, secret, lifetimes)
    return PractitionerPage(request, signed_in, select_language(request)) if signed_in else None


def select_language(request: Request) -> str:
    """Return the language chosen on this page or a previous one, else the browser's."""
    previous = cookies.read_cookie(request, cookies.LANGUAGE)
    if "language" not in request.query_params and previous in list_languages():
        return previous
    return select_page_language(request)


def remember_language(request: Request, response: Response) -> None:
    """Keep the language chosen on this page for the next pages."""
    language = request.query_params.get("language", "")
    if language in list_languages():
        cookies.set_cookie(request, response, cookies.LANGUAGE, language, YEAR_SECONDS)


async def _find_current_page(request: Request) -> PractitionerPage:
    desk: PractitionerPage = request.state.desk
    return desk


PractitionerPageDep = Annotated[PractitionerPage, Depends(_find_current_page)]


def check_token(request: Request, desk: PractitionerPage, token: str) -> None:
    """Raise Problem `csrf_failed` unless the token was issued for this session."""
    binding = kept_forms.build_csrf_binding(desk.signed_in.session)
    find_csrf_tokens(request).check_request(request, token, binding)


async def _check_fields(
    request: Request,
    desk: PractitionerPageDep,
    fields: Annotated[page_route.FormFields, Depends(page_route.read_page_form)],
) -> page_route.FormFields:
    """Return the form fields. Raises Problem `csrf_failed` without this session's token."""
    try:
        check_token(request, desk, page_route.read_field(fields, CSRF_FIELD))
    except Problem:
        owner = kept_forms.read_owner(request, fields)
        if owner and owner.practitioner == desk.signed_in.practitioner.id:
            raise _EarlierSessionForm(owner, fields) from None
        raise
    return fields


class _EarlierSessionForm(Exception):  # noqa: N818 - not an error
    """A form that the practitioner filled in during an earlier session."""

    def __init__(self, owner: kept_forms.FormOwner, fields: page_route.FormFields) -> None:
        super().__init__()
        self.owner, self.fields = owner, fields


CheckedFields = Annotated[page_route.FormFields, Depends(_check_fields)]


async def _end_session(request: Request) -> Response:
    """Redirect to the sign-in page, which says why; what was submitted is kept for its owner."""
    path = ENDED_PATH if cookies.read_cookie(request, cookies.SESSION) else LOGIN_PATH
    if request.method == "POST":
        try:
            fields = await page_route.read_page_form(request)
            if await run_in_threadpool(_keep_unsaved, request, fields):
                path = KEPT_PATH
        except CLIENT_ERRORS as error:
            return await _refuse(request, None, convert_error(error))
    response = redirect_to(request, path)
    cookies.delete_cookie(request, response, cookies.SESSION)
    return response


def _keep_unsaved(request: Request, fields: page_route.FormFields) -> bool:
    owner = kept_forms.read_owner(request, fields)
    if owner is None:
        return False
    count_for_network(request, FORMS_AFTER_SESSION)
    actor = build_session_actor(request, owner.organisation, owner.practitioner)
    kept_forms.keep_form(request, actor, owner, fields, is_after_session=True)
    return True


def _return_form(desk: PractitionerPage, form: _EarlierSessionForm) -> Response:
    form_id = kept_forms.keep_form(
        desk.request, desk.actor, form.owner, form.fields, is_after_session=True
    )
    return desk.redirect(kept_forms.build_kept_url(form.owner.page, form_id))


async def _refuse(request: Request, desk: PractitionerPage | None, problem: Problem) -> Response:
    actor = desk.actor if desk else build_anonymous_actor(request)
    refusals = find_services(request).denied_requests
    await run_in_threadpool(refusals.record, actor, problem.code)
    options = PageOptions(select_language(request), problem.definition.status, problem.headers)
    phrases = page_route.choose_problem_phrases(problem, _CODES_WITH_TEXT)
    if desk is None:
        return render_page(request, "problem.html.j2", options, **phrases)
    return _render(desk, "desk/problem.html.j2", options, phrases)


def _render(
    desk: PractitionerPage, template: str, options: PageOptions, variables: Mapping[str, Any]
) -> Response:
    return render_page(
        desk.request,
        template,
        options,
        desk=desk,
        current_path=desk.request.url.path,
        token=desk.csrf_token,
        session_seconds=_count_session_seconds(desk),
        **variables,
    )


def _count_session_seconds(desk: PractitionerPage) -> int:
    """Return after how many seconds without another page the session ends."""
    lifetimes = read_session_lifetimes(find_services(desk.request).settings)
    left = desk.signed_in.ends_at - datetime.now(UTC)
    return max(int(min(lifetimes.idle, left).total_seconds()), 0)
