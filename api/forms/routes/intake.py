"""Pages of the intake form: one patient answers under one link, step by step, and submits once.

The answers of a page are saved before the next page is shown. Advice for a red flag is shown at
once, and no other page until the patient has confirmed reading it.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import TypeAdapter

from api.forms import handlers, views
from api.forms.answer_parser import fill_from_answers
from api.forms.link_access import (
    KIOSK_SECONDS,
    LinkAccess,
    clear_device,
    find_access_by_cookie,
    find_access_by_url,
    has_submitted,
    open_intake,
    open_intake_to_submit,
)
from api.forms.page_context import read_page_context, with_exclusive_link
from api.intakes.models import StorableIntake, intake_union
from api.store.errors import NotFoundError
from api.web import cookies
from api.web.languages import select_page_language
from api.web.page_route import FormFields, PageRoute, read_field, read_page_form
from api.web.templating import redirect_to, render_page
from scoring.catalogue import Catalogue

SubmittedFields = Annotated[FormFields, Depends(read_page_form)]
StepNumber = Annotated[int, Path(ge=1, le=200)]
AccessDependency = Callable[..., LinkAccess]


def build_router(catalogue: Catalogue) -> APIRouter:
    """Return the routes of the form, once for links in the URL and once for shared devices."""
    routes = APIRouter(route_class=PageRoute)
    intake_adapter = TypeAdapter[Any](intake_union(catalogue.list_active(), StorableIntake))
    accesses: tuple[tuple[str, AccessDependency], ...] = (
        ("/kiosk/form", find_access_by_cookie),
        ("/intake/{link}", find_access_by_url),
    )
    for path, dependency in accesses:
        _add_start_routes(routes, path, dependency)
        _add_advice_routes(routes, path, dependency)
        _add_review_routes(routes, path, dependency, intake_adapter)
        _add_step_routes(routes, path, dependency)
    _add_kiosk_routes(routes)
    return routes


def _add_kiosk_routes(routes: APIRouter) -> None:
    @routes.get("/kiosk")
    def show_idle_kiosk(request: Request) -> Response:
        """Show a shared device between two patients, cleared of all their traces."""
        response = render_page(request, "intake/kiosk.html.j2")
        clear_device(request, response)
        return response

    @routes.get("/kiosk/{link}")
    def store_link(request: Request, link: Annotated[str, Path(max_length=100)]) -> Response:
        """Move the link from the URL into a short-lived cookie."""
        open_intake(LinkAccess(request, "/kiosk/form", link, is_kiosk=True))
        response = redirect_to(request, "/kiosk/form")
        cookies.set_cookie(request, response, cookies.KIOSK_LINK, link, KIOSK_SECONDS)
        return response


def _add_start_routes(routes: APIRouter, path: str, dependency: AccessDependency) -> None:
    @routes.get(path)
    def show_start(access: Annotated[LinkAccess, Depends(dependency)]) -> Response:
        """Show the start page: purpose, consent, privacy and emergency numbers."""
        return views.render_start(read_page_context(open_intake(access)))

    @routes.post(path)
    def begin_intake(
        access: Annotated[LinkAccess, Depends(dependency)], fields: SubmittedFields
    ) -> Response:
        """Start a draft after consent, or resume the one that exists."""
        intake = open_intake(access)
        access.check_csrf_token(read_field(fields, "token"))
        return with_exclusive_link(intake, partial(handlers.give_consent, fields=fields))


def _add_step_routes(routes: APIRouter, path: str, dependency: AccessDependency) -> None:
    @routes.get(path + "/{number}")
    def show_step(
        access: Annotated[LinkAccess, Depends(dependency)], number: StepNumber
    ) -> Response:
        """Show one step with its saved answers."""
        context = read_page_context(open_intake(access))
        step = context.find_step(number)
        if step is None:
            return context.redirect_to_current_step()
        draft = context.started_progress.draft
        return views.render_step(
            context, number, fill_from_answers(step, draft.answers, draft.left), {}
        )

    @routes.post(path + "/{number}")
    def save_step(
        access: Annotated[LinkAccess, Depends(dependency)],
        number: StepNumber,
        fields: SubmittedFields,
    ) -> Response:
        """Save a step; then show the next one, the previous one or the pause page."""
        intake = open_intake(access)
        access.check_csrf_token(read_field(fields, "token"))
        return with_exclusive_link(
            intake, partial(handlers.save_step, number=number, fields=fields)
        )


def _add_advice_routes(routes: APIRouter, path: str, dependency: AccessDependency) -> None:
    @routes.get(path + "/advice")
    def show_advice(access: Annotated[LinkAccess, Depends(dependency)]) -> Response:
        """Show the advice; no other page is shown until it is acknowledged."""
        return views.render_advice(read_page_context(open_intake(access)))

    @routes.post(path + "/advice")
    def acknowledge_advice(
        access: Annotated[LinkAccess, Depends(dependency)], fields: SubmittedFields
    ) -> Response:
        """Acknowledge the advice and continue with the next step."""
        intake = open_intake(access)
        access.check_csrf_token(read_field(fields, "token"))
        return with_exclusive_link(intake, partial(handlers.acknowledge_advice, fields=fields))


def _add_review_routes(
    routes: APIRouter, path: str, dependency: AccessDependency, intake_adapter: TypeAdapter[Any]
) -> None:
    @routes.get(path + "/review")
    def show_review(access: Annotated[LinkAccess, Depends(dependency)]) -> Response:
        """Show all answers before they are submitted."""
        context = read_page_context(open_intake(access))
        if context.progress is None or context.progress.unacknowledged_flags:
            return context.redirect_to_current_step()
        return views.render_review(context)

    @routes.post(path + "/review")
    def submit(
        access: Annotated[LinkAccess, Depends(dependency)], fields: SubmittedFields
    ) -> Response:
        """Save the answers as a screening and use up the link, in one transaction."""
        intake = open_intake_to_submit(access)
        access.check_csrf_token(read_field(fields, "token"))
        if intake is not None:
            submit_answers = partial(
                handlers.submit,
                destination=read_field(fields, "intent"),
                intake_adapter=intake_adapter,
            )
            try:
                return with_exclusive_link(intake, submit_answers)
            except NotFoundError:
                if not has_submitted(access):
                    raise
        # a repeated submission gets the same confirmation
        return views.render_confirmation(access, select_page_language(access.request), {})
