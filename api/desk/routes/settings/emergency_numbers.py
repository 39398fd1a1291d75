"""Page of the numbers to call, with suggestions by country that must be confirmed."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter

from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.desk.access.settings_access import update_form_settings
from api.desk.emergency_directory import list_country_names, load_countries
from api.desk.screenings.answer_form import is_valid_text
from api.web.page_route import FormFields, read_field
from schemas.organisations.form_settings import EmergencyLabel, EmergencyNumber, PhoneNumber

NUMBERS_PATH = "/desk/practice/numbers"
MAX_ROWS = 8
MIN_ROWS = 3
KINDS = ("emergency", "crisis", "violence")
_LABEL, _NUMBER = TypeAdapter[Any](EmergencyLabel), TypeAdapter[Any](PhoneNumber)
Row = dict[str, str]
"""The fields of one number: kind, number, label, and whether it is suggested and confirmed."""
router = APIRouter(prefix=NUMBERS_PATH, route_class=build_desk_route("organisation:admin"))


@router.get("")
def show_numbers(
    desk: PractitionerPageDep,
    country: Annotated[str, Query(max_length=2)] = "",
    *,
    saved: bool = False,
    first: bool = False,
) -> Response:
    """Show the numbers; `country` adds those that are suggested for it."""
    numbers = desk.read_form_settings().emergency_numbers
    rows = [_build_row(entry) for entry in numbers]
    if country in load_countries():
        present = {entry.number.replace(" ", "") for entry in numbers}
        rows += [
            _build_row(entry) | {"suggested": "yes"}
            for entry in load_countries()[country].suggest_numbers()
            if entry.number.replace(" ", "") not in present
        ]
    return _render(desk, rows, {}, country=country, saved=saved, first=first)


@router.post("")
def change_numbers(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Replace the numbers; refuse a suggestion that was not confirmed."""
    all_rows = [_read_row(fields, place) for place in range(MAX_ROWS)]
    rows = [row for row in all_rows if row["number"] or row["label"]]
    first = read_field(fields, "first") == "yes"
    faults = {
        f"{name}{place}": phrase
        for place, row in enumerate(rows)
        for name, phrase in _find_row_faults(row).items()
    }
    if not rows and first:
        faults["number0"] = "fault_no_number"
    if faults:
        country = read_field(fields, "country")
        return _render(desk, rows, faults, country=country, first=first)
    with desk.context.transaction() as work:
        update_form_settings(work, {"emergency_numbers": tuple(map(_build_number, rows))})
    next_page = "/desk/practice/practitioners?first=true"
    return desk.redirect(next_page if first else f"{NUMBERS_PATH}?saved=true")


def _render(
    desk: PractitionerPage, rows: list[Row], faults: Mapping[str, str], **options: Any
) -> Response:
    visible_rows = rows[:MAX_ROWS]
    row_count = min(max(len(visible_rows) + 1, MIN_ROWS), MAX_ROWS)
    empty = {"kind": "emergency", "number": "", "label": "", "suggested": "", "confirmed": ""}
    blanks = [empty | {"kind": kind} for kind in _list_missing_kinds(visible_rows)]
    blanks += [empty] * MAX_ROWS
    country = load_countries().get(options["country"])
    return desk.render(
        "numbers",
        422 if faults else 200,
        rows=[*visible_rows, *blanks][:row_count],
        faults=faults,
        kinds=KINDS,
        countries=list_country_names(desk.language),
        sources=country.list_sources() if country else [],
        saved=options.get("saved", False),
        first=options.get("first", False),
        country=options["country"],
    )


def _build_row(entry: EmergencyNumber) -> Row:
    fields = {"kind": entry.kind, "number": entry.number, "label": entry.label or ""}
    return fields | {"suggested": "", "confirmed": ""}


def _read_row(fields: FormFields, place: int) -> Row:
    names = ("kind", "number", "label", "suggested", "confirmed")
    return {name: read_field(fields, f"{name}{place}").strip() for name in names}


def _find_row_faults(row: Row) -> dict[str, str]:
    faults = {}
    if not is_valid_text(_NUMBER, row["number"]):
        faults["number"] = "fault_phone_number"
    if row["kind"] not in KINDS:
        faults["kind"] = "fault_unknown"
    if row["label"] and not is_valid_text(_LABEL, row["label"]):
        faults["label"] = "fault_number_label"
    if row["suggested"] and row["confirmed"] != "yes":
        faults["confirmed"] = "fault_confirm_number"
    return faults


def _build_number(row: Row) -> EmergencyNumber:
    return EmergencyNumber(
        label=row["label"] or None,
        number=row["number"],
        crisis=row["kind"] == "crisis",
        violence=row["kind"] == "violence",
    )


def _list_missing_kinds(rows: list[Row]) -> list[str]:
    present = {row["kind"] for row in rows}
    return [kind for kind in KINDS if kind not in present]
