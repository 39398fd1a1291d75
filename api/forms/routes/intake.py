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

SubmittedFields = Annotated[Fields, Depends(fields_of)]
StepNumber = Annotated[int, Path(ge=1, le=200)]
AccessDependency = Callable[..., Way]


def router(catalogue: Catalogue) -> APIRouter:
    """Return the routes of the form, once for links in the URL and once for shared devices."""
    routes = APIRouter(route_class=PageRoute)
    intake_adapter = TypeAdapter[Any](any_intake(catalogue.scored(), KeptIntake))
    accesses: tuple[tuple[str, AccessDependency], ...] = (
        ("/kiosk/form", by_device),
        ("/intake/{link}", by_address),
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
        response = page(request, "intake/kiosk.html.j2")
        forget(response)
        return response

    @routes.get("/kiosk/{link}")
    def store_link(request: Request, link: Annotated[str, Path(max_length=100)]) -> Response:
        """Move the link from the URL into a short-lived cookie."""
        visit(Way(request, "/kiosk/form", link, kiosk=True))
        response = see(request, "/kiosk/form")
        set_cookie(response, request.app.state.settings, (KIOSK, link), KIOSK_SECONDS)
        return response


def _add_start_routes(routes: APIRouter, path: str, dependency: AccessDependency) -> None:
    @routes.get(path)
    def show_start(way: Annotated[Way, Depends(dependency)]) -> Response:
        """Show the start page: purpose, consent, privacy and emergency numbers."""
        return views.first(scene_of(visit(way)))

    @routes.post(path)
    def begin(way: Annotated[Way, Depends(dependency)], fields: SubmittedFields) -> Response:
        """Start a draft after consent, or resume the one that exists."""
        intake = visit(way)
        way.check(only(fields, "token"))
        return turn(intake, partial(handlers.agreed, fields=fields))


def _add_step_routes(routes: APIRouter, path: str, dependency: AccessDependency) -> None:
    @routes.get(path + "/{number}")
    def show_step(way: Annotated[Way, Depends(dependency)], number: StepNumber) -> Response:
        """Show one step with its saved answers."""
        context = scene_of(visit(way))
        step = context.step(number)
        if step is None:
            return context.elsewhere()
        draft = context.course.draft
        return views.asking(context, number, kept_marks(step, draft.answers, draft.left), {})

    @routes.post(path + "/{number}")
    def save_step(
        way: Annotated[Way, Depends(dependency)], number: StepNumber, fields: SubmittedFields
    ) -> Response:
        """Save the answers of a step; then go on, back, or pause."""
        intake = visit(way)
        way.check(only(fields, "token"))
        return turn(intake, partial(handlers.answered, number=number, fields=fields))


def _add_advice_routes(routes: APIRouter, path: str, dependency: AccessDependency) -> None:
    @routes.get(path + "/advice")
    def show_advice(way: Annotated[Way, Depends(dependency)]) -> Response:
        """Show the advice; no other page is shown until it is acknowledged."""
        return views.advising(scene_of(visit(way)))

    @routes.post(path + "/advice")
    def acknowledge_advice(
        way: Annotated[Way, Depends(dependency)], fields: SubmittedFields
    ) -> Response:
        """Acknowledge the advice and go on to the next step."""
        intake = visit(way)
        way.check(only(fields, "token"))
        return turn(intake, partial(handlers.advised, fields=fields))


def _add_review_routes(
    routes: APIRouter, path: str, dependency: AccessDependency, intake_adapter: TypeAdapter[Any]
) -> None:
    @routes.get(path + "/review")
    def show_review(way: Annotated[Way, Depends(dependency)]) -> Response:
        """Show all answers before they are submitted."""
        context = scene_of(visit(way))
        if context.begun is None or context.begun.unread:
            return context.elsewhere()
        return views.reviewing(context)

    @routes.post(path + "/review")
    def submit(way: Annotated[Way, Depends(dependency)], fields: SubmittedFields) -> Response:
        """Save the answers as a screening and use up the link, in one transaction."""
        intake = visit_to_send(way)
        way.check(only(fields, "token"))
        if intake is not None:
            submit_answers = partial(
                handlers.sending, destination=only(fields, "to"), intake_adapter=intake_adapter
            )
            try:
                return turn(intake, submit_answers)
            except Problem as problem:
                if problem.code != "not_found" or not sent_from_here(way):
                    raise
        # a repeated submission gets the same confirmation
        return views.sent(way, chosen_language(way.request), {})
