"""The desk: what the forms of this organisation say and ask, for whoever administers it."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response
from pydantic import ValidationError

from api.desk.answer_form import written
from api.desk.session_guard import AtDesk, Desk, Form, desk_route
from api.store.forms import form_settings
from api.web.page_route import Fields, only
from api.web.page_texts import languages
from schemas.form_settings import FormSettings

HERE = "/desk/forms"
NUMBERS = range(8)
TEXTS = ("consent", "privacy")
_FAULTS = {"number": "fault_dialled", "ask_again_days": "fault_again_days"}
router = APIRouter(prefix=HERE, route_class=desk_route("admin"))


@router.get("")
def read(desk: AtDesk, *, saved: bool = False) -> Response:
    """Whom patients can call, what they agree to, what they are asked."""
    with desk.acts.transaction() as work:
        own = form_settings.own(work)
        work.audit("read", "form_settings")
    return _shown(desk, _values(own), {}, saved=saved)


@router.post("")
def change(desk: AtDesk, fields: Form) -> Response:
    """The whole of them, as `PUT /v1/organisation/forms` does."""
    sent = _sent(fields)
    with desk.acts.transaction() as work:
        own = form_settings.own(work)
        work.audit("read", "form_settings")
    try:
        chosen = FormSettings.model_validate(_body(sent, own))
    except ValidationError as error:
        return _shown(desk, sent, _faults(error, sent))
    with desk.acts.transaction() as work:
        form_settings.change(work, chosen)
        work.audit("administer", "form_settings")
    return desk.go(f"{HERE}?saved=true")


def _shown(
    desk: Desk, values: Mapping[str, str], faults: dict[str, str], *, saved: bool = False
) -> Response:
    return desk.show(
        "forms",
        422 if faults else 200,
        values=values,
        faults=faults,
        saved=saved,
        rows=NUMBERS,
        texts=TEXTS,
    )


def _values(own: FormSettings) -> dict[str, str]:
    """The settings as the fields of the page."""
    values = dict.fromkeys(_names(), "")
    for place, each in enumerate(own.emergency_numbers):
        values |= {f"label{place}": each.label, f"number{place}": each.number}
        values[f"crisis{place}"] = "yes" if each.crisis else ""
    for name in TEXTS:
        values |= {f"{name}_{code}": text for code, text in getattr(own, name).items()}
    values["ask_again_days"] = str(own.ask_again_days)
    values["adversity"] = "yes" if own.adversity_questions else "no"
    return values


def _sent(fields: Fields) -> dict[str, str]:
    return {name: written(fields, name) for name in _names()} | {
        "adversity": "no" if only(fields, "adversity") == "no" else "yes"
    }


def _names() -> list[str]:
    numbers = [f"{name}{place}" for place in NUMBERS for name in ("label", "number", "crisis")]
    return [*numbers, *(f"{name}_{code}" for name in TEXTS for code in languages()),
            "ask_again_days", "adversity"]  # fmt: skip


def _body(sent: Mapping[str, str], own: FormSettings) -> dict[str, Any]:
    """What was sent in the shape of the settings; texts in languages not on the page stay."""
    texts = {
        name: {k: v for k, v in getattr(own, name).items() if k not in languages()}
        | {code: sent[f"{name}_{code}"] for code in languages() if sent[f"{name}_{code}"]}
        for name in TEXTS
    }
    days = sent["ask_again_days"]
    return texts | {
        "emergency_numbers": [
            {
                "label": sent[f"label{place}"],
                "number": sent[f"number{place}"],
                "crisis": sent[f"crisis{place}"] == "yes",
            }
            for place in _written_rows(sent)
        ],
        "adversity_questions": sent["adversity"] == "yes",
        "ask_again_days": int(days) if days.isascii() and days.isdigit() and len(days) < 6 else 0,
    }


def _written_rows(sent: Mapping[str, str]) -> list[int]:
    return [place for place in NUMBERS if sent[f"label{place}"] or sent[f"number{place}"]]


def _faults(error: ValidationError, sent: Mapping[str, str]) -> dict[str, str]:
    """The phrase for each field that is to be put right."""
    rows = _written_rows(sent)
    faults = {}
    for each in error.errors():
        match each["loc"]:
            case ("emergency_numbers", int(place), str(part), *_):
                faults[f"{part}{rows[place]}"] = _FAULTS.get(part, "fault_text")
            case (("consent" | "privacy") as name, str(code), *_):
                faults[f"{name}_{code}"] = "fault_text"
            case (str(name), *_):
                faults[name] = _FAULTS.get(name, "fault_text")
    return faults
