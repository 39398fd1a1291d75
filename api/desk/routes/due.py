"""Pages of the patients who are due to be screened again: list, new link, calendar file."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.desk.calendar_file import CALENDAR_TYPE, CalendarDay, write_calendar
from api.desk.link_creation import create_shown_link, list_desk_mediums, read_public_url
from api.desk.screening_rows import DisplayFormatter
from api.problems import Problem
from api.store.forms import due_links, links
from api.store.forms.links import LinkRequest
from api.store.notifications import occasions
from api.web.page_texts import load_page_texts
from schemas.patients.links import Link
from schemas.rulebooks.rulebook_name import RulebookName
from scoring.catalogue import UnknownRulebookError

DUE_PATH = "/desk/due"
LIST_PERIOD = timedelta(days=28)
CALENDAR_PERIOD = timedelta(days=366)
LinkId = Annotated[str, Path(alias="link", pattern=r"^[0-9a-f-]{36}$")]
router = APIRouter(prefix=DUE_PATH, route_class=build_desk_route("screenings:write"))


@router.get("")
def list_due(desk: PractitionerPageDep) -> Response:
    """List the patients who are overdue or due in the next four weeks, most overdue first."""
    formatter, today = desk.formatter, _read_today(desk)
    rows = [_build_row(link, formatter, today) for link in _list_due(desk, today + LIST_PERIOD)]
    return desk.render("due", rows=rows)


@router.get("/calendar.ics")
def download_calendar(desk: PractitionerPageDep) -> Response:
    """Return the due days of a year as a calendar file, without names and numbers of patients."""
    now, base_url = datetime.now(UTC), read_public_url(desk)
    shows_initial = desk.read_form_settings().initial_in_mail
    say = load_page_texts(desk.language).say
    days = [
        CalendarDay(
            link.id,
            due_on,
            say("desk_due_event", patient=_format_initial(link) if shows_initial else ""),
            f"{base_url}{DUE_PATH}",
        )
        for link in _list_due(desk, _read_today(desk) + CALENDAR_PERIOD)
        if (due_on := link.ask_again_on) is not None
    ]
    headers = {
        "Content-Disposition": 'attachment; filename="nociscreen-due.ics"',
        "Cache-Control": "no-store",
    }
    return Response(write_calendar(days, now), media_type=CALENDAR_TYPE, headers=headers)


@router.post("/{link}/links")
def create_next_link(
    desk: PractitionerPageDep,
    link: LinkId,
    fields: CheckedFields,  # noqa: ARG001 - checks the CSRF token
) -> Response:
    """Create the next link for the same patient, and send it to where the last one was sent."""
    with desk.context.transaction() as work:
        earlier = links.find_link(work, link)
        recipient = occasions.find_recipient(work, link)
        work.audit("read", "link", link)
    if earlier.submitted_at is None or earlier.ask_again_on is None:
        raise Problem("conflict")
    try:
        rulebook = desk.rulebooks.find_current(RulebookName.parse(earlier.rulebook).instrument)
    except UnknownRulebookError:
        raise Problem("not_found") from None
    link_request = LinkRequest(
        earlier.patient,
        rulebook.name,
        (earlier.ask_again_on - earlier.submitted_at.date()).days,
        earlier.kind,
        earlier.language,
    )
    can_send = recipient is not None and recipient.medium in list_desk_mediums(desk)
    return create_shown_link(desk, link_request, recipient if can_send else None)


@router.post("/{link}/dismiss")
def dismiss(
    desk: PractitionerPageDep,
    link: LinkId,
    fields: CheckedFields,  # noqa: ARG001 - checks the CSRF token
) -> Response:
    """Do not ask this patient again."""
    with desk.context.transaction() as work:
        due_links.dismiss_due_day(work, link)
        work.audit("administer", "link", link)
    return desk.redirect(DUE_PATH)


def _list_due(desk: PractitionerPage, until: date) -> tuple[Link, ...]:
    with desk.context.transaction() as work:
        due = due_links.list_due_links(work, until)
        work.audit("list", "link", count=max(len(due), 1))
    return due


def _read_today(desk: PractitionerPage) -> date:
    return datetime.now(desk.time_zone).date()


def _build_row(link: Link, formatter: DisplayFormatter, today: date) -> dict[str, Any]:
    due_on = link.ask_again_on or today
    return {
        "link": link,
        "title": formatter.format_title(link.rulebook),
        "day": formatter.format_day(due_on),
        "is_overdue": due_on <= today,
    }


def _format_initial(link: Link) -> str:
    return f" ({link.patient.name[0].upper()}.)" if link.patient.name else ""
