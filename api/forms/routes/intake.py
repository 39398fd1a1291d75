"""Pages of the intake form: one patient answers under one link, step by step, and submits once.

Each page has two addresses, one with the link and one for a shared device (kiosk). The answers of a
page are saved before the next page is shown. Advice for a red flag is shown at once, and no other
page until the patient has confirmed reading it.
"""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from api.forms import handlers, link_access, views
from api.forms.answer_parser import fill_from_answers
from api.forms.page_context import read_page_context, with_exclusive_link
from api.store.errors import NotFoundError
from api.web import cookies
from api.web.page_route import FormFields, PageRoute, read_field, read_page_form
from api.web.page_texts import select_page_language
from api.web.templating import redirect_to, render_page

Access = Annotated[link_access.LinkAccess, Depends(link_access.find_access)]
SubmittedFields = Annotated[FormFields, Depends(read_page_form)]
StepNumber = Annotated[int, Path(ge=1, le=200)]
router = APIRouter(route_class=PageRoute)


@router.get("/kiosk/form")
@router.get("/intake/{link}")
def show_start(access: Access) -> Response:
    """Show the start page: purpose, consent, privacy and emergency numbers."""
    return views.render_start(read_page_context(link_access.open_intake(access)))


@router.post("/kiosk/form")
@router.post("/intake/{link}")
def begin_intake(access: Access, fields: SubmittedFields) -> Response:
    """Start a draft after consent, or resume the one that exists."""
    intake = link_access.open_intake(access)
    access.check_csrf_token(read_field(fields, "token"))
    return with_exclusive_link(intake, partial(handlers.give_consent, fields=fields))


@router.get("/kiosk/form/advice")
@router.get("/intake/{link}/advice")
def show_advice(access: Access) -> Response:
    """Show the advice; no other page is shown until it is acknowledged."""
    return views.render_advice(read_page_context(link_access.open_intake(access)))


@router.post("/kiosk/form/advice")
@router.post("/intake/{link}/advice")
def acknowledge_advice(access: Access, fields: SubmittedFields) -> Response:
    """Acknowledge the advice and continue with the next step."""
    intake = link_access.open_intake(access)
    access.check_csrf_token(read_field(fields, "token"))
    return with_exclusive_link(intake, partial(handlers.acknowledge_advice, fields=fields))


@router.get("/kiosk/form/review")
@router.get("/intake/{link}/review")
def show_review(access: Access) -> Response:
    """Show all answers before they are submitted."""
    context = read_page_context(link_access.open_intake(access))
    if context.progress is None or context.progress.unacknowledged_flags:
        return context.redirect_to_current_step()
    return views.render_review(context)


@router.post("/kiosk/form/review")
@router.post("/intake/{link}/review")
def submit(access: Access, fields: SubmittedFields) -> Response:
    """Save the answers as a screening and use up the link, in one transaction."""
    intake = link_access.open_intake_to_submit(access)
    access.check_csrf_token(read_field(fields, "token"))
    if intake is not None:
        destination = read_field(fields, "intent")
        try:
            return with_exclusive_link(intake, partial(handlers.submit, destination=destination))
        except NotFoundError:
            if not link_access.has_submitted(access):
                raise
    # a repeated submission gets the same confirmation
    return views.render_confirmation(access, select_page_language(access.request), {})


@router.get("/kiosk/form/{number}")
@router.get("/intake/{link}/{number}")
def show_step(access: Access, number: StepNumber) -> Response:
    """Show one step with its saved answers."""
    context = read_page_context(link_access.open_intake(access))
    step = context.find_step(number)
    if step is None:
        return context.redirect_to_current_step()
    draft = context.started_progress.draft
    control_state = fill_from_answers(step, draft.answers, draft.left)
    return views.render_step(context, number, control_state, {})


@router.post("/kiosk/form/{number}")
@router.post("/intake/{link}/{number}")
def save_step(access: Access, number: StepNumber, fields: SubmittedFields) -> Response:
    """Save a step; then show the next one, the previous one or the pause page."""
    intake = link_access.open_intake(access)
    access.check_csrf_token(read_field(fields, "token"))
    return with_exclusive_link(intake, partial(handlers.save_step, number=number, fields=fields))


@router.get("/kiosk")
def show_idle_kiosk(request: Request) -> Response:
    """Show a shared device between two patients, cleared of all their traces."""
    response = render_page(request, "intake/kiosk.html.j2")
    link_access.clear_device(request, response)
    return response


@router.get("/kiosk/{link}")
def store_link(
    request: Request, link: Annotated[str, Path(max_length=link_access.MAX_LINK_LENGTH)]
) -> Response:
    """Move the link from the URL into a short-lived cookie."""
    link_access.open_intake(link_access.LinkAccess(request, "/kiosk/form", link, is_kiosk=True))
    response = redirect_to(request, "/kiosk/form")
    cookies.set_cookie(request, response, cookies.KIOSK_LINK, link, link_access.KIOSK_SECONDS)
    return response
