"""Page "Your practice": names, letterhead, time zone, language and retention, and the logo."""

from collections.abc import Mapping
from typing import Annotated, Any
from zoneinfo import available_timezones

from fastapi import APIRouter, Request, Response
from pydantic import Field

from api.auth.services import find_services
from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.desk.access.settings_access import find_faults, read_whole_number, update_form_settings
from api.desk.logo_upload import UploadedLogo
from api.desk.screenings.answer_form import read_text
from api.store.accounts import letterheads, organisations, practitioners
from api.store.accounts.organisations import FIRST_ORGANISATION_NAME
from api.web.page_route import read_field
from api.web.page_texts import list_languages, select_offered_languages
from api.web.security_headers import build_page_headers
from reports.logo import detect_media_type
from reports.view.heading import MAX_ADDRESS_LINES, AddressLine, ReportLanguage, TimeZoneName
from schemas.base import FrozenModel, Many
from schemas.organisations.form_settings import PhoneNumber
from schemas.organisations.organisation import Title
from schemas.patients.links import Language

PRACTICE_PATH = "/desk/practice"
_FAULTS = {
    "name": "fault_practice_name",
    "own_name": "fault_own_name",
    "address": "fault_address",
    "phone": "fault_phone_number",
    "time_zone": "fault_time_zone",
    "language": "fault_unknown",
    "retention_years": "fault_retention",
    "patient_languages": "fault_patient_languages",
}
_REGIONS = (
    *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe"),
    *("Indian", "Pacific"),
)
router = APIRouter(prefix=PRACTICE_PATH, route_class=build_desk_route("organisation:admin"))


class Practice(FrozenModel):
    """The fields of the page."""

    name: Title
    own_name: Title
    address: Annotated[Many[AddressLine], Field(max_length=MAX_ADDRESS_LINES)]
    phone: PhoneNumber | None
    time_zone: TimeZoneName
    language: ReportLanguage
    retention_years: Annotated[int, Field(ge=1, le=100)] | None
    patient_languages: Annotated[Many[Language], Field(min_length=1)]
    test: bool
    second_approval: bool


@router.get("")
def show_practice(
    desk: PractitionerPageDep, *, saved: bool = False, first: bool = False
) -> Response:
    """Show the practice; `first` is the first run, which continues with the numbers to call."""
    return _render(desk, _read_practice(desk), {}, saved=saved, first=first)


@router.post("")
def change_practice(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Save the practice, as `PATCH /v1/organisation` and the practitioner's own name."""
    values: dict[str, Any] = {
        "name": read_field(fields, "name").strip(),
        "own_name": read_field(fields, "own_name").strip(),
        "address": [line.strip() for line in read_text(fields, "address").split("\n") if line],
        "phone": read_field(fields, "phone").strip() or None,
        "time_zone": read_field(fields, "time_zone"),
        "language": read_field(fields, "language"),
        "retention_years": read_whole_number(read_field(fields, "retention_years")),
        "patient_languages": [
            code for code in list_languages() if code in fields.get("patient_languages", ())
        ],
        "test": read_field(fields, "test") == "yes",
        "second_approval": read_field(fields, "second_approval") == "yes",
    }
    first = read_field(fields, "first") == "yes"
    faults = find_faults(Practice, values, _FAULTS)
    if faults:
        return _render(desk, values, faults, first=first)
    _save(desk, Practice.model_validate(values))
    return desk.redirect(
        f"{PRACTICE_PATH}/numbers?first=true" if first else f"{PRACTICE_PATH}?saved=true"
    )


@router.get("/logo")
def show_logo(request: Request, desk: PractitionerPageDep) -> Response:
    """Return the logo as an image."""
    logo = desk.load_print_settings().letterhead.logo
    headers = build_page_headers(find_services(request).settings)
    if logo is None:
        return Response(status_code=404, headers=headers)
    return Response(logo, media_type=detect_media_type(logo), headers=headers)


@router.post("/logo")
def change_logo(
    desk: PractitionerPageDep, upload: UploadedLogo, *, first: bool = False
) -> Response:
    """Replace the logo by the uploaded file, or remove it if there is none."""
    if upload is None:
        return _render(desk, _read_practice(desk), {"logo": "fault_logo"}, first=first)
    with desk.context.transaction() as work:
        letterheads.update_letterhead(work, {"logo": upload or None})
        work.audit("administer", "organisation", work.organisation)
    return desk.redirect(f"{PRACTICE_PATH}?{'first' if first else 'saved'}=true")


def _render(
    desk: PractitionerPage,
    values: Mapping[str, Any],
    faults: dict[str, str],
    *,
    saved: bool = False,
    first: bool = False,
) -> Response:
    return desk.render(
        "practice",
        422 if faults else 200,
        values=values,
        faults=faults,
        saved=saved,
        first=first,
        has_logo=desk.load_print_settings().letterhead.logo is not None,
        has_second_approval=_has_second_approval(desk),
        time_zones=_list_time_zones(str(values["time_zone"])),
    )


def _has_second_approval(desk: PractitionerPage) -> bool:
    with desk.store.continue_read(desk.actor) as work:
        return organisations.find_own_organisation(work).second_approval


def _read_practice(desk: PractitionerPage) -> dict[str, Any]:
    settings = desk.read_form_settings()
    with desk.context.transaction() as work:
        organisation = organisations.find_own_organisation(work)
        letterhead = letterheads.find_letterhead(work.session, work.organisation)
        work.audit("read", "organisation", organisation.id)
    is_new = organisation.name == FIRST_ORGANISATION_NAME
    return {
        "name": "" if is_new else organisation.name,
        "own_name": "" if is_new else desk.signed_in.practitioner.name,
        "address": letterhead.address,
        "phone": settings.practice_phone,
        "time_zone": letterhead.time_zone,
        "language": desk.language if is_new else letterhead.language,
        "retention_years": organisation.retention_years,
        "patient_languages": select_offered_languages(settings.languages),
        "test": organisation.test,
        "second_approval": organisation.second_approval,
    }


def _save(desk: PractitionerPage, practice: Practice) -> None:
    names = ("name", "retention_years", "test", "second_approval")
    letterhead_names = ("address", "time_zone", "language")
    with desk.context.transaction() as work:
        columns = {name: getattr(practice, name) for name in names}
        organisations.update_organisation(work, columns)
        letterhead = {name: getattr(practice, name) for name in letterhead_names}
        letterheads.update_letterhead(work, letterhead)
        work.audit("administer", "organisation", work.organisation)
        own_id = desk.signed_in.practitioner.id
        practitioners.update_practitioner(work, own_id, {"name": practice.own_name})
        work.audit("administer", "practitioner", own_id)
        offers_all = practice.patient_languages == list_languages()
        offered = () if offers_all else practice.patient_languages
        update_form_settings(work, {"practice_phone": practice.phone, "languages": offered})


def _list_time_zones(current: str) -> list[str]:
    names = {name for name in available_timezones() if name.partition("/")[0] in _REGIONS}
    return ["UTC", *sorted(names | {current} - {"UTC"})]
