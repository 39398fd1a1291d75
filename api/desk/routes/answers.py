"""Answer pages of the desk, where a clinician enters a new screening or amends one."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.dependencies import ScreeningId
from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.desk.screening_rows import list_instrument_choices
from api.desk.screenings import answer_form, screening_page
from api.desk.screenings.result_page import SCREENINGS_PATH
from api.desk.screenings.screening_page import FaultLink
from api.forms.answer_parser import ControlState
from api.intakes import reader
from api.problems import Problem
from api.store import idempotency
from api.store.accounts.kept_forms import KeptForm
from api.store.idempotency import IdempotentResponse
from api.store.screenings import screenings
from api.store.transaction import Transaction
from api.web.page_route import FormFields, read_field
from schemas.patients.screening import Screening
from scoring.catalogue import UnknownRulebookError

_IDEMPOTENT_ROUTE = "POST /desk/new"
_FIELD_LABELS = (
    ("reference", "desk_reference"),
    ("name", "desk_patient_name"),
    ("system", "desk_system"),
    ("note", "desk_note_field"),
)
RulebookName = Annotated[str, Query(max_length=60)]
TopicName = Annotated[str, Query(max_length=20)]
TOPIC_FIELD, NEXT_TOPIC_FIELD = "topic", "to"
router = APIRouter(route_class=build_desk_route("screenings:write"))


@router.get("/desk/new")
def show_new_screening(desk: PractitionerPageDep, rulebook: RulebookName = "") -> Response:
    """Show the choice of an instrument, or the first part of its questions."""
    if not rulebook:
        return desk.render("new", choices=list_instrument_choices(desk.formatter))
    form = _load_form(desk, rulebook)
    kept_form = desk.find_kept_form(_build_new_path(form))
    if kept_form is not None:
        return _render_kept(desk, form, kept_form)
    values = {"idempotency_key": idempotency.generate_idempotency_key()}
    return _render_form(desk, form, form.fill_steps_from_answers({}), {}, values)


@router.post("/desk/new")
def create_screening(
    desk: PractitionerPageDep, fields: CheckedFields, rulebook: RulebookName = ""
) -> Response:
    """Create a screening as `POST /v1/screenings` does; a repeated submission creates no second."""
    form = _load_form(desk, rulebook)
    if NEXT_TOPIC_FIELD in fields:
        return _show_topic(desk, _build_new_path(form), fields)
    parsed_answers = answer_form.parse_answers(desk, form, fields, None)
    if parsed_answers.faults:
        return desk.redirect_with_form(_build_new_path(form), fields)
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
def show_answers(
    desk: PractitionerPageDep, screening: ScreeningId, topic: TopicName = ""
) -> Response:
    """Show the questions of one part of the form with the answers of a screening."""
    original = _read_original(desk, screening)
    form = _load_form(desk, original.assessment.rulebook)
    kept_form = desk.find_kept_form(f"{SCREENINGS_PATH}/{screening}/answers")
    if kept_form is not None:
        return _render_kept(desk, form, kept_form, original)
    values = {"note": original.context.note or "", TOPIC_FIELD: topic}
    control_states = form.fill_steps_from_answers(original.answers)
    return _render_form(desk, form, control_states, {}, values, original)


@router.post(SCREENINGS_PATH + "/{screening}/answers")
def amend_screening(
    desk: PractitionerPageDep, screening: ScreeningId, fields: CheckedFields
) -> Response:
    """Replace a screening by a new one, as `POST /v1/screenings/{id}/amendments` does."""
    original = _read_original(desk, screening)
    form = _load_form(desk, original.assessment.rulebook)
    page = f"{SCREENINGS_PATH}/{screening}/answers"
    if NEXT_TOPIC_FIELD in fields:
        return _show_topic(desk, page, fields)
    parsed_answers = answer_form.parse_answers(desk, form, fields, original)
    if parsed_answers.faults:
        return desk.redirect_with_form(page, fields)
    return _save_correction(desk, form, original, parsed_answers.intake)


@router.post(SCREENINGS_PATH + "/{screening}/part")
def save_part(desk: PractitionerPageDep, screening: ScreeningId, fields: CheckedFields) -> Response:
    """Save the clinician's part of a screening as a correction, if anything changed."""
    original = _read_original(desk, screening)
    part_form = screening_page.build_part_form(desk, original)
    if part_form is None:
        raise Problem("conflict")
    parsed_answers = answer_form.parse_answers(desk, part_form[0], fields, original)
    if parsed_answers.faults:
        return screening_page.redirect_with_form(desk, screening, "part", fields)
    return _save_correction(desk, part_form[0], original, parsed_answers.intake)


def _show_topic(desk: PractitionerPage, page: str, fields: FormFields) -> Response:
    """Keep what was entered, and show the part of the form with another topic."""
    response = desk.redirect_with_form(page, fields)
    response.headers["Location"] += f"#topic-{read_field(fields, NEXT_TOPIC_FIELD)[:3]}"
    return response


def _save_correction(
    desk: PractitionerPage, form: answer_form.AnswerForm, original: Screening, intake: Any
) -> Response:
    """Store the correction and show it; if nothing changed, show the screening as it is."""
    if answer_form.is_unchanged(form, original, intake) and original.state == "final":
        return desk.redirect(f"{SCREENINGS_PATH}/{original.id}")
    scored = reader.score_intake(desk.rulebooks, intake, original.patient, "form")
    with desk.context.transaction() as work:
        current = screenings.find_screening(work, original.id)
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


def _build_new_path(form: answer_form.AnswerForm) -> str:
    return f"/desk/new?rulebook={form.rulebook.rulebook.rulebook.instrument}"


def _render_kept(
    desk: PractitionerPage,
    form: answer_form.AnswerForm,
    kept_form: KeptForm,
    original: Screening | None = None,
) -> Response:
    """Show the form as it was submitted, with its faults unless only another topic is wanted."""
    names = ("note", "idempotency_key", TOPIC_FIELD, *answer_form.PATIENT_FIELDS)
    values = {name: answer_form.read_text(kept_form.fields, name) for name in names}
    faults: dict[str, str] = {}
    if next_topic := read_field(kept_form.fields, NEXT_TOPIC_FIELD):
        values[TOPIC_FIELD] = next_topic
    else:
        faults = answer_form.parse_answers(desk, form, kept_form.fields, original).faults
    control_states = form.fill_steps_from_fields(kept_form.fields)
    return _render_form(
        desk, form, control_states, faults, values, original, is_returned=kept_form.is_after_session
    )


def _render_form(  # noqa: PLR0913, PLR0917 - all values of the page
    desk: PractitionerPage,
    form: answer_form.AnswerForm,
    control_states: list[ControlState],
    faults: dict[str, str],
    values: dict[str, str],
    original: Screening | None = None,
    *,
    is_returned: bool = False,
) -> Response:
    page = f"{SCREENINGS_PATH}/{original.id}/answers" if original else _build_new_path(form)
    labels = dict(_FIELD_LABELS)
    not_asked = form.find_not_asked(original.answers) if original else frozenset()
    part = form.select_part(control_states, faults, not_asked, values.get(TOPIC_FIELD, ""))
    shown_faults = {name: it for name, it in faults.items() if name in part.question_names}
    fault_links = [
        *(FaultLink(name, labels[name], faults[name]) for name in labels if name in faults),
        *screening_page.list_question_faults(form, shown_faults),
    ]
    return desk.render(
        "answers",
        422 if faults else 200,
        **form.build_variables(part),
        faults=faults,
        not_asked=not_asked,
        original=original,
        patient=original.patient if original else None,
        values={"note": "", "idempotency_key": "", TOPIC_FIELD: ""}
        | dict.fromkeys(answer_form.PATIENT_FIELDS, "")
        | values,
        fault_links=fault_links,
        is_returned=is_returned,
        owner=desk.seal_owner(page),
        action=page,
        back=f"{SCREENINGS_PATH}/{original.id}" if original else "/desk",
    )
