"""Settings page of the patient forms, for administrators of the organisation."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response
from pydantic import ValidationError

from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.desk.screenings.answer_form import read_text
from api.store.forms import form_settings
from api.web.page_route import FormFields, read_field
from api.web.page_texts import list_languages
from schemas.organisations.form_settings import FormSettings

SETTINGS_PATH = "/desk/forms"
TEXTS = ("consent", "privacy")
NUMBERS = ("ask_again_days", "reminder_days")
_FAULTS = {"ask_again_days": "fault_again_days", "reminder_days": "fault_reminder_days"}
router = APIRouter(prefix=SETTINGS_PATH, route_class=build_desk_route("organisation:admin"))


@router.get("")
def show_settings(desk: PractitionerPageDep, *, saved: bool = False) -> Response:
    """Show the texts and what the forms ask."""
    return _render_settings(desk, _build_fields(desk.read_form_settings()), {}, saved=saved)


@router.post("")
def change_settings(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Change the settings shown; keep the others."""
    values = _read_values(fields)
    try:
        settings = FormSettings.model_validate(_build_body(values, desk.read_form_settings()))
    except ValidationError as error:
        return _render_settings(desk, values, _find_faults(error))
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
        texts=TEXTS,
    )


def _build_fields(settings: FormSettings) -> dict[str, str]:
    values = dict.fromkeys(_list_field_names(), "")
    for name in TEXTS:
        values |= {f"{name}_{code}": text for code, text in getattr(settings, name).items()}
    values |= {name: str(getattr(settings, name)) for name in NUMBERS}
    values["adversity"] = "yes" if settings.adversity_questions else "no"
    values["initial_in_mail"] = "yes" if settings.initial_in_mail else ""
    return values


def _read_values(fields: FormFields) -> dict[str, str]:
    return {name: read_text(fields, name) for name in _list_field_names()} | {
        "adversity": "no" if read_field(fields, "adversity") == "no" else "yes"
    }


def _list_field_names() -> list[str]:
    texts = [f"{name}_{code}" for name in TEXTS for code in list_languages()]
    return [*texts, *NUMBERS, "adversity", "initial_in_mail"]


def _build_body(values: Mapping[str, str], current: FormSettings) -> dict[str, Any]:
    """Return the settings as a request body; what is not on the page is kept."""
    texts = {
        name: {k: v for k, v in getattr(current, name).items() if k not in list_languages()}
        | {code: values[f"{name}_{code}"] for code in list_languages() if values[f"{name}_{code}"]}
        for name in TEXTS
    }
    numbers = {name: _read_days(values[name]) for name in NUMBERS}
    choices = {
        "adversity_questions": values["adversity"] == "yes",
        "initial_in_mail": values["initial_in_mail"] == "yes",
    }
    return current.model_dump() | texts | numbers | choices


def _read_days(text: str) -> int:
    """Return a number of days; one that no setting accepts if the text is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1


def _find_faults(error: ValidationError) -> dict[str, str]:
    faults = {}
    for detail in error.errors():
        match detail["loc"]:
            case (("consent" | "privacy") as name, str(code), *_):
                faults[f"{name}_{code}"] = f"fault_{name}"
            case (str(name), *_):
                faults[name] = _FAULTS.get(name, "fault_text")
    return faults
