"""Link pages of the desk: create a link, list links, revoke one or give it a new address."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.desk.link_creation import (
    create_shown_link,
    list_desk_mediums,
    parse_recipient,
    read_public_url,
    show_link_again,
)
from api.desk.screening_rows import DisplayFormatter, list_instrument_choices
from api.desk.screenings import inbox, screening_page
from api.desk.screenings.answer_form import PATIENT_FIELDS, parse_patient
from api.desk.screenings.screening_page import FaultLink
from api.forms.link_urls import find_link_reach
from api.problems import Problem
from api.store.accounts.kept_forms import KeptForm
from api.store.forms import links
from api.store.forms.links import LinkRequest
from api.store.patients import draft_acknowledgements
from api.store.screenings import screenings
from api.web.page_route import FormFields, read_field
from api.web.page_texts import select_offered_languages
from schemas.patients.links import Link
from scoring.catalogue import UnknownRulebookError
from scoring.common_rules.safety import NO_TIER

LINKS_PATH = "/desk/links"
PAGE_SIZE = 25
LinkId = Annotated[str, Path(alias="link", pattern=r"^[0-9a-f-]{36}$")]
_DAYS = re.compile(r"[1-9]|[1-8][0-9]|90")
_FIELDS = (*PATIENT_FIELDS, "rulebook", "kind", "days", "language", "send_to")
_NEW_PATH = f"{LINKS_PATH}/new"
_LABELS = {
    "reference": "desk_reference",
    "name": "desk_patient_name",
    "system": "desk_system",
    "rulebook": "desk_instrument",
    "days": "desk_link_days",
    "send_to": "desk_send_to",
}
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
def show_new_link(
    desk: PractitionerPageDep,
    screening: Annotated[str, Query(alias="for", pattern=r"^[0-9a-f-]{36}$")] = "",
) -> Response:
    """Show the form of a new link, filled in for the patient of a screening if one is named."""
    kept_form = desk.find_kept_form(_NEW_PATH)
    if kept_form is not None:
        return _render_kept(desk, kept_form)
    values = {"days": "14"}
    if screening:
        with desk.context.transaction() as work:
            patient = screenings.find_screening(work, screening).patient
            work.audit("read", "screening", screening)
        values |= {name: getattr(patient, name) or "" for name in PATIENT_FIELDS}
    return _render_form(desk, values, {})


@router.post("/new")
def create_link(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Create a link and show its URL, QR code and messages, only this once."""
    values, faults = _read_values(fields), _find_faults(desk, fields)
    recipient = None if "send_to" in faults else parse_recipient(desk, values["send_to"])
    patient = parse_patient(fields, faults)
    if faults or patient is None:
        return desk.redirect_with_form(_NEW_PATH, fields)
    rulebook = desk.rulebooks.find_current(values["rulebook"]).name
    offered = select_offered_languages(desk.read_form_settings().languages)
    kind: Any = "once" if values["kind"] == "once" else "until_submitted"
    language = values["language"] if values["language"] in offered else None
    link_request = LinkRequest(patient, rulebook, None, kind, language, int(values["days"]))
    return create_shown_link(desk, link_request, recipient)


@router.post("/{link}/acknowledgements")
def acknowledge_draft(desk: PractitionerPageDep, link: LinkId, fields: CheckedFields) -> Response:
    """Record that the red flags in answers not sent yet were dealt with."""
    action = screening_page.read_flag_action(fields)
    if screening_page.find_action_faults(action):
        return desk.redirect_with_form("/desk", fields | {"link": [link]})
    with desk.context.transaction() as work:
        current = links.find_link_with_draft(work, link)
        if current.state == "submitted":
            raise Problem("conflict")
        flags = [flag.id for flag in inbox.list_draft_flags(current, desk.formatter)]
        draft_acknowledgements.acknowledge_draft(
            work, link, flags, desk.signed_in.practitioner.reference, action
        )
        work.audit("acknowledge", "draft", link)
    return desk.redirect("/desk")


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


@router.post("/{link}/addresses")
def replace_address(
    desk: PractitionerPageDep,
    link: LinkId,
    fields: CheckedFields,  # noqa: ARG001 - checks the CSRF token
) -> Response:
    """Give a link that was not opened a new address and show it, only this once."""
    return show_link_again(desk, link)


def _read_values(fields: FormFields) -> dict[str, str]:
    return {name: read_field(fields, name).strip()[:300] for name in _FIELDS}


def _find_faults(desk: PractitionerPage, fields: FormFields) -> dict[str, str]:
    """Return the faults of the fields that do not name the patient."""
    values = _read_values(fields)
    faults = {} if _DAYS.fullmatch(values["days"]) else {"days": "fault_days"}
    try:
        desk.rulebooks.find_current(values["rulebook"])
    except UnknownRulebookError:
        faults["rulebook"] = "fault_unknown"
    try:
        parse_recipient(desk, values["send_to"])
    except ValueError:
        faults["send_to"] = "fault_recipient"
    return faults


def _render_kept(desk: PractitionerPage, kept_form: KeptForm) -> Response:
    faults = _find_faults(desk, kept_form.fields)
    parse_patient(kept_form.fields, faults)
    return _render_form(
        desk, _read_values(kept_form.fields), faults, is_returned=kept_form.is_after_session
    )


def _render_form(
    desk: PractitionerPage,
    values: dict[str, str],
    faults: dict[str, str],
    *,
    is_returned: bool = False,
) -> Response:
    choices = list_instrument_choices(desk.formatter)
    settings = desk.read_form_settings()
    numbers = settings.emergency_numbers
    return desk.render(
        "new_link",
        422 if faults else 200,
        choices=choices,
        values=dict.fromkeys(_FIELDS, "") | values,
        faults=faults,
        fault_links=[
            FaultLink(name, _LABELS[name], faults[name]) for name in _LABELS if name in faults
        ],
        is_returned=is_returned,
        owner=desk.seal_owner(_NEW_PATH),
        offered=select_offered_languages(settings.languages),
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
