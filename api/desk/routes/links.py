"""Link pages of the desk: create a link for a patient, list links, revoke one."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from api.desk.answer_form import PATIENT_FIELDS, parse_patient
from api.desk.link_creation import (
    create_shown_link,
    list_desk_mediums,
    parse_recipient,
    read_public_url,
)
from api.desk.screening_rows import NO_TIER, DisplayFormatter, list_instrument_choices
from api.desk.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.forms.link_urls import find_link_reach
from api.store.forms import links
from api.store.forms.links import LinkRequest
from api.web.page_route import read_field
from api.web.page_texts import list_languages
from schemas.links import Link
from scoring.catalogue import UnknownRulebookError

LINKS_PATH = "/desk/links"
PAGE_SIZE = 25
LinkId = Annotated[str, Path(alias="link", pattern=r"^[0-9a-f-]{36}$")]
_DAYS = re.compile(r"[1-9]|[1-8][0-9]|90")
_FIELDS = (*PATIENT_FIELDS, "rulebook", "kind", "days", "language", "send_to")
router = APIRouter(prefix=LINKS_PATH, route_class=build_desk_route("screenings:write"))


@router.get("")
def list_links(
    desk: PractitionerPageDep,
    after: Annotated[str | None, Query(pattern=r"^[0-9a-f-]{36}$")] = None,
) -> Response:
    """List links with their state, newest first."""
    formatter = desk.formatter
    with desk.context.transaction() as work:
        page = links.list_links(work, PAGE_SIZE, after)
        work.audit("list", "link", count=max(len(page.links), 1))
    rows = [_build_row(link, formatter) for link in page.links]
    return desk.render("links", rows=rows, next_page=page.next_id)


@router.get("/new")
def show_new_link(desk: PractitionerPageDep) -> Response:
    """Show the form of a new link."""
    return _render_form(desk, {"days": "14"}, {})


@router.post("/new")
def create_link(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Create a link and show its URL, QR code and messages, only this once."""
    values = {name: read_field(fields, name).strip()[:300] for name in _FIELDS}
    faults = {} if _DAYS.fullmatch(values["days"]) else {"days": "fault_days"}
    recipient = None
    try:
        recipient = parse_recipient(desk, values["send_to"])
    except ValueError:
        faults["send_to"] = "fault_recipient"
    patient = parse_patient(fields, faults)
    try:
        rulebook = desk.rulebooks.find_current(values["rulebook"]).name
    except UnknownRulebookError:
        faults["rulebook"] = "fault_unknown"
    if faults or patient is None:
        return _render_form(desk, values, faults)
    kind: Any = "once" if values["kind"] == "once" else "until_submitted"
    language = values["language"] if values["language"] in list_languages() else None
    link_request = LinkRequest(patient, rulebook, None, kind, language, int(values["days"]))
    return create_shown_link(desk, link_request, recipient)


@router.post("/{link}/revoke")
def revoke_link(
    desk: PractitionerPageDep,
    link: LinkId,
    fields: CheckedFields,  # noqa: ARG001 - checks the CSRF token
) -> Response:
    """Close a link to further answers."""
    with desk.context.transaction() as work:
        links.revoke_link(work, link)
        work.audit("revoke", "link", link)
    return desk.redirect(LINKS_PATH)


def _render_form(
    desk: PractitionerPage, values: dict[str, str], faults: dict[str, str]
) -> Response:
    choices = list_instrument_choices(desk.formatter)
    numbers = desk.read_form_settings().emergency_numbers
    return desk.render(
        "new_link",
        422 if faults else 200,
        choices=choices,
        values=dict.fromkeys(_FIELDS, "") | values,
        faults=faults,
        numbers=numbers,
        crisis_numbers=[number for number in numbers if number.crisis],
        reach=find_link_reach(read_public_url(desk)),
        mediums=list_desk_mediums(desk),
    )


def _build_row(link: Link, formatter: DisplayFormatter) -> dict[str, Any]:
    tier = link.tier or NO_TIER
    ask_again_on = link.ask_again_on
    return {
        "link": link,
        "title": formatter.format_title(link.rulebook),
        "tier": tier,
        "tier_label": formatter.format_tier(link.rulebook, tier),
        "expires": formatter.format_day(link.expires_at),
        "created": formatter.format_day(link.created_at),
        "ask_again": formatter.format_day(ask_again_on) if ask_again_on else None,
    }
