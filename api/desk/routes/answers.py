"""Answer pages of the desk, where a clinician enters a new screening or amends one."""

import json
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import ScreeningId
from api.desk import answer_form
from api.desk.screening_rows import list_instrument_choices
from api.desk.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.forms.answer_parser import ControlState
from api.intakes import reader
from api.problems import Problem
from api.store import idempotency
from api.store.idempotency import IdempotentResponse
from api.store.screenings import screenings
from api.store.transaction import Transaction
from api.web.page_route import FormFields, read_field
from schemas.screening import Screening
from scoring.catalogue import UnknownRulebookError

SCREENINGS_PATH = "/desk/screenings"
_IDEMPOTENT_ROUTE = "POST /desk/new"
RulebookName = Annotated[str, Query(max_length=60)]
router = APIRouter(route_class=build_desk_route("screenings:write"))


@router.get("/desk/new")
def show_new_screening(desk: PractitionerPageDep, rulebook: RulebookName = "") -> Response:
    """Show the choice of an instrument, or all of its questions."""
    if not rulebook:
        return desk.render("new", choices=list_instrument_choices(desk.formatter))
    form = _load_form(desk, rulebook)
    values = {"idempotency_key": idempotency.generate_idempotency_key()}
    return _render_form(desk, form, form.fill_steps_from_answers({}), {}, values)


@router.post("/desk/new")
def create_screening(
    desk: PractitionerPageDep, fields: CheckedFields, rulebook: RulebookName = ""
) -> Response:
    """Create a screening as `POST /v1/screenings` does; a repeated submission creates no second."""
    form = _load_form(desk, rulebook)
    parsed_answers = answer_form.parse_answers(desk, form, fields, None)
    if parsed_answers.faults:
        return _render_faults(desk, form, fields, parsed_answers)
    intake = parsed_answers.intake
    scored = reader.score_intake(desk.rulebooks, intake, intake.patient, "form")

    def add_screening(work: Transaction) -> IdempotentResponse:
        screening = screenings.add_screening(work, scored)
        work.audit("create", "screening", screening.id)
        return IdempotentResponse(201, b"", f"{SCREENINGS_PATH}/{screening.id}", screening.id)

    key = read_field(fields, "idempotency_key")[:60]
    body = json.dumps(fields, sort_keys=True).encode()
    response = desk.context.run_once(_IDEMPOTENT_ROUTE, key, body, add_screening)
    return desk.redirect(response.location or "/desk")


@router.get(SCREENINGS_PATH + "/{screening}/answers")
def show_answers(desk: PractitionerPageDep, screening: ScreeningId) -> Response:
    """Show all questions with the answers of a screening."""
    original = _read_original(desk, screening)
    form = _load_form(desk, original.assessment.rulebook)
    values = {"note": original.context.note or ""}
    control_states = form.fill_steps_from_answers(original.answers)
    return _render_form(desk, form, control_states, {}, values, original)


@router.post(SCREENINGS_PATH + "/{screening}/answers")
def amend_screening(
    desk: PractitionerPageDep, screening: ScreeningId, fields: CheckedFields
) -> Response:
    """Replace a screening by a new one, as `POST /v1/screenings/{id}/amendments` does."""
    original = _read_original(desk, screening)
    form = _load_form(desk, original.assessment.rulebook)
    parsed_answers = answer_form.parse_answers(desk, form, fields, original)
    if parsed_answers.faults:
        return _render_faults(desk, form, fields, parsed_answers, original)
    scored = reader.score_intake(desk.rulebooks, parsed_answers.intake, original.patient, "form")
    with desk.context.transaction() as work:
        current = screenings.find_screening(work, screening)
        amended = screenings.amend_screening(work, current, scored)
        work.audit("amend", "screening", amended.id)
    return desk.redirect(f"{SCREENINGS_PATH}/{amended.id}")


def _read_original(desk: PractitionerPage, screening_id: str) -> Screening:
    with desk.context.transaction() as work:
        screening = screenings.find_screening(work, screening_id)
        work.audit("read", "screening", screening_id)
    return screening


def _load_form(desk: PractitionerPage, name: str) -> answer_form.AnswerForm:
    try:
        return answer_form.build_answer_form(name, desk)
    except UnknownRulebookError:
        raise Problem("not_found") from None


def _render_faults(
    desk: PractitionerPage,
    form: answer_form.AnswerForm,
    fields: FormFields,
    parsed_answers: answer_form.ParsedAnswers,
    original: Screening | None = None,
) -> Response:
    names = ("note", "idempotency_key", *answer_form.PATIENT_FIELDS)
    values = {name: answer_form.read_text(fields, name) for name in names}
    control_states = form.fill_steps_from_fields(fields)
    return _render_form(desk, form, control_states, parsed_answers.faults, values, original)


def _render_form(  # noqa: PLR0913, PLR0917 - all values of the page
    desk: PractitionerPage,
    form: answer_form.AnswerForm,
    control_states: list[ControlState],
    faults: dict[str, str],
    values: dict[str, str],
    original: Screening | None = None,
) -> Response:
    instrument = form.rulebook.rulebook.rulebook.instrument
    new_path = f"/desk/new?rulebook={instrument}"
    return desk.render(
        "answers",
        422 if faults else 200,
        **form.build_variables(control_states, faults, is_open=original is None),
        original=original,
        patient=original.patient if original else None,
        values={"note": "", "idempotency_key": ""}
        | dict.fromkeys(answer_form.PATIENT_FIELDS, "")
        | values,
        action=f"{SCREENINGS_PATH}/{original.id}/answers" if original else new_path,
        back=f"{SCREENINGS_PATH}/{original.id}" if original else "/desk",
    )
