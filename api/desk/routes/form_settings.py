"""Settings page of the patient forms, for administrators of the organisation."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response
from pydantic import ValidationError

from api.desk.answer_form import read_text
from api.desk.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.store.forms import form_settings
from api.web.page_route import FormFields, read_field
from api.web.page_texts import list_languages
from schemas.form_settings import FormSettings

SETTINGS_PATH = "/desk/forms"
NUMBER_ROWS = range(8)
TEXTS = ("consent", "privacy")
_FAULTS = {"number": "fault_phone_number", "ask_again_days": "fault_again_days"}
router = APIRouter(prefix=SETTINGS_PATH, route_class=build_desk_route("admin"))


@router.get("")
def show_settings(desk: PractitionerPageDep, *, saved: bool = False) -> Response:
    """Show the emergency numbers, the texts and what the forms ask."""
    return _render_settings(desk, _build_fields(desk.read_form_settings()), {}, saved=saved)


@router.post("")
def change_settings(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Replace all settings, as `PUT /v1/organisation/forms` does."""
    values = _read_values(fields)
    try:
        settings = FormSettings.model_validate(_build_body(values, desk.read_form_settings()))
    except ValidationError as error:
        return _render_settings(desk, values, _find_faults(error, values))
    with desk.context.transaction() as work:
        form_settings.update_form_settings(work, settings)
        work.audit("administer", "form_settings")
    return desk.redirect(f"{SETTINGS_PATH}?saved=true")


def _render_settings(
    desk: PractitionerPage,
    values: Mapping[str, str],
    faults: dict[str, str],
    *,
    saved: bool = False,
) -> Response:
    return desk.render(
        "forms",
        422 if faults else 200,
        values=values,
        faults=faults,
        saved=saved,
        number_rows=NUMBER_ROWS,
        texts=TEXTS,
    )


def _build_fields(settings: FormSettings) -> dict[str, str]:
    values = dict.fromkeys(_list_field_names(), "")
    for row, entry in enumerate(settings.emergency_numbers):
        values |= {f"label{row}": entry.label, f"number{row}": entry.number}
        values[f"crisis{row}"] = "yes" if entry.crisis else ""
    for name in TEXTS:
        values |= {f"{name}_{code}": text for code, text in getattr(settings, name).items()}
    values["ask_again_days"] = str(settings.ask_again_days)
    values["adversity"] = "yes" if settings.adversity_questions else "no"
    return values


def _read_values(fields: FormFields) -> dict[str, str]:
    return {name: read_text(fields, name) for name in _list_field_names()} | {
        "adversity": "no" if read_field(fields, "adversity") == "no" else "yes"
    }


def _list_field_names() -> list[str]:
    numbers = [f"{name}{row}" for row in NUMBER_ROWS for name in ("label", "number", "crisis")]
    texts = [f"{name}_{code}" for name in TEXTS for code in list_languages()]
    return [*numbers, *texts, "ask_again_days", "adversity"]


def _build_body(values: Mapping[str, str], current: FormSettings) -> dict[str, Any]:
    """Return the settings as a request body; texts in languages not on the page are kept."""
    texts = {
        name: {k: v for k, v in getattr(current, name).items() if k not in list_languages()}
        | {code: values[f"{name}_{code}"] for code in list_languages() if values[f"{name}_{code}"]}
        for name in TEXTS
    }
    days = values["ask_again_days"]
    return texts | {
        "emergency_numbers": [
            {
                "label": values[f"label{row}"],
                "number": values[f"number{row}"],
                "crisis": values[f"crisis{row}"] == "yes",
            }
            for row in _find_filled_rows(values)
        ],
        "reminder_days": current.reminder_days,
        "initial_in_mail": current.initial_in_mail,
        "adversity_questions": values["adversity"] == "yes",
        "ask_again_days": int(days) if days.isascii() and days.isdigit() and len(days) < 6 else 0,
    }


def _find_filled_rows(values: Mapping[str, str]) -> list[int]:
    return [row for row in NUMBER_ROWS if values[f"label{row}"] or values[f"number{row}"]]


def _find_faults(error: ValidationError, values: Mapping[str, str]) -> dict[str, str]:
    rows = _find_filled_rows(values)
    faults = {}
    for detail in error.errors():
        match detail["loc"]:
            case ("emergency_numbers", int(position), str(part), *_):
                faults[f"{part}{rows[position]}"] = _FAULTS.get(part, "fault_text")
            case (("consent" | "privacy") as name, str(code), *_):
                faults[f"{name}_{code}"] = "fault_text"
            case (str(name), *_):
                faults[name] = _FAULTS.get(name, "fault_text")
    return faults
