"""Pages of the intake form: one patient answers under one link, step by step, and submits once.

Every form is answered with a redirect, so that Back and Reload always show a page. A link whose
answers were sent leads to the page that says so.

Each page has two addresses, one with the link and one for a shared device (kiosk). The answers of a
page are saved before the next page is shown. Advice for a red flag is shown at once, and no other
page until the patient has confirmed reading it.
"""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from api.forms import handlers, link_access, views
from api.forms.page_context import read_page_context, with_exclusive_link
from api.web import cookies
from api.web.page_route import FormFields, PageHandler, PageRoute, read_field, read_page_form
from api.web.templating import redirect_to, render_page

Access = Annotated[link_access.LinkAccess, Depends(link_access.find_access)]
SubmittedFields = Annotated[FormFields, Depends(read_page_form)]
StepNumber = Annotated[int, Path(ge=1, le=200)]


class IntakeRoute(PageRoute):
    """A page under a link; once the answers were sent, it leads to the page that says so."""

    def get_route_handler(self) -> PageHandler:
        """Return the handler, which redirects requests under a used link."""
        handle = super().get_route_handler()

        async def handle_used_link(request: Request) -> Response:
            try:
                return await handle(request)
            except link_access.AlreadySentError:
                access = link_access.find_access(request)
                return redirect_to(request, f"{access.base_path}/sent")

        return handle_used_link


router = APIRouter(route_class=IntakeRoute)


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
    """Show the advice; no other page is shown until it is acknowledged. Never rate limited."""
    intake = link_access.open_intake(access, is_limited=False)
    return with_exclusive_link(intake, handlers.show_advice)


@router.post("/kiosk/form/advice")
@router.post("/intake/{link}/advice")
def acknowledge_advice(access: Access, fields: SubmittedFields) -> Response:
    """Acknowledge the advice and continue with the next step."""
    intake = link_access.open_intake(access, is_limited=False)
    access.check_csrf_token(read_field(fields, "token"))
    return with_exclusive_link(intake, partial(handlers.acknowledge_advice, fields=fields))


@router.get("/kiosk/form/stop")
@router.get("/intake/{link}/stop")
def show_stop(access: Access) -> Response:
    """Show that the questions are not made for this age or duration of pain."""
    return views.render_stop(read_page_context(link_access.open_intake(access)))


@router.get("/kiosk/form/saved")
@router.get("/intake/{link}/saved")
def show_saved(access: Access) -> Response:
    """Show that the answers are saved and can be continued."""
    return views.render_saved(read_page_context(link_access.open_intake(access)))


@router.get("/kiosk/form/review")
@router.get("/intake/{link}/review")
def show_review(access: Access) -> Response:
    """Show all answers before they are submitted."""
    context = read_page_context(link_access.open_intake(access))
    progress = context.progress
    if progress is None or progress.unacknowledged_flags or progress.is_out_of_scope:
        return context.redirect_to_current_step()
    return views.render_review(context)


@router.post("/kiosk/form/review")
@router.post("/intake/{link}/review")
def submit(access: Access, fields: SubmittedFields) -> Response:
    """Save the answers as a screening and use up the link, in one transaction."""
    intake = link_access.open_intake(access)
    access.check_csrf_token(read_field(fields, "token"))
    destination = read_field(fields, "intent")
    return with_exclusive_link(intake, partial(handlers.submit, destination=destination))


@router.get("/kiosk/form/sent")
@router.get("/intake/{link}/sent")
def show_sent(access: Access) -> Response:
    """Show that the answers were sent; the browser that reviewed them also sees a copy."""
    link = link_access.find_sent_link(access)
    if link is None:
        context = read_page_context(link_access.open_intake(access))
        return context.redirect_to_current_step()
    return views.render_sent(access, handlers.read_sent_answers(access, link))


@router.get("/closed")
def show_closed(request: Request) -> Response:
    """Show a page that says nothing about where the visitor comes from."""
    return render_page(request, "intake/closed.html.j2")


@router.get("/kiosk/form/{number}")
@router.get("/intake/{link}/{number}")
def show_step(access: Access, number: StepNumber) -> Response:
    """Show one step with its saved answers."""
    context = read_page_context(link_access.open_intake(access))
    if context.find_step(number) is None:
        return context.redirect_to_current_step()
    return views.render_step(context, number)


@router.post("/kiosk/form/{number}")
@router.post("/intake/{link}/{number}")
def save_step(access: Access, number: StepNumber, fields: SubmittedFields) -> Response:
    """Save a step, then go where the button says that was pressed."""
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
