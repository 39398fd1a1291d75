"""Build the page of one screening: what to act on, the result, the clinician's part, the rest."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from fastapi import Response
from pydantic import TypeAdapter

from api.desk.access.session_guard import PractitionerPage
from api.desk.screening_rows import DisplayFormatter
from api.desk.screenings import answer_form, result_page
from api.desk.screenings.answer_form import (
    MAX_LINE,
    MAX_NOTE,
    find_text_fault,
    is_valid_text,
    read_text,
)
from api.desk.screenings.result_page import SCREENINGS_PATH
from api.forms.answer_parser import ControlState, parse_step
from api.store.accounts import practitioners
from api.store.screenings.acknowledgements import FlagAction
from api.web.page_route import FormFields, read_field
from api.web.page_texts import list_languages
from reports.view.model import FlagLine
from schemas.patients.patient import Note, Reference
from schemas.patients.screening import Acknowledgement, Screening
from scoring.catalogue import UnknownRulebookError
from scoring.first_questions import choose_first_questions

OPEN_FORMS = 5
"""How many red flags have their form on the page at once; the others have a link to it."""
SHOWN_ALTERNATIVES = 8
FORM_FIELD = "form"
_NOTE = TypeAdapter[Any](Note)
_LINE = TypeAdapter[Any](Reference)


class FlagCard(NamedTuple):
    """A red flag, and what was done about it or the form in which that is recorded.

    `is_chosen`: its form was asked for, or is shown again with its faults.
    """

    number: int
    line: FlagLine
    has_form: bool
    is_chosen: bool
    practitioner: str
    when: str
    acknowledgement: Acknowledgement | None
    values: Mapping[str, str]
    faults: Mapping[str, str]


class FaultLink(NamedTuple):
    """A faulty field for the summary: its control, its name, and the phrase of the fault."""

    control: str
    label: str
    phrase: str
    bounds: Mapping[str, Any] = {}


class ClinicianPart(NamedTuple):
    """The questions to ask first, and how many others there are for clinicians."""

    form: answer_form.AnswerForm
    control_state: ControlState
    other_count: int


def read_flag_action(fields: FormFields) -> FlagAction:
    """Return what was done about a red flag as it was entered."""
    return FlagAction(
        read_text(fields, "done"),
        read_text(fields, "reached") or None,
        read_field(fields, "flag") or None,
    )


def find_action_faults(action: FlagAction) -> dict[str, str]:
    """Return the faults of what was entered about a red flag."""
    faults = {}
    if action.person_reached is not None and not is_valid_text(_LINE, action.person_reached):
        faults["reached"] = find_text_fault(action.person_reached, MAX_LINE)
    if not is_valid_text(_NOTE, action.action_taken):
        faults["done"] = (
            find_text_fault(action.action_taken, MAX_NOTE)
            if action.action_taken
            else "fault_action"
        )
    return faults


def redirect_with_form(
    desk: PractitionerPage, screening: str, form: str, fields: FormFields
) -> Response:
    """Keep a form of the page and show it again with its faults."""
    page = f"{SCREENINGS_PATH}/{screening}"
    return desk.redirect_with_form(page, fields | {FORM_FIELD: [form]})


def render_screening(desk: PractitionerPage, screening_id: str) -> Response:
    """Render the page, with a form that was kept if the address names one."""
    base = f"{SCREENINGS_PATH}/{screening_id}"
    kept_form = desk.find_kept_form(base)
    fields: FormFields = kept_form.fields if kept_form else {}
    displayed = result_page.load_displayed_screening(desk, screening_id)
    source, view, screening = displayed.source, displayed.view, displayed.source.screening
    groups = result_page.group_criteria(displayed)
    cards = _build_flag_cards(desk, screening, view.flags, fields)
    part = _build_part(desk, screening, fields)
    reason = _read_kept(fields, "error", "reason")
    reason_faults = (
        {"reason": "fault_reason"}
        if reason is not None and not is_valid_text(_NOTE, reason)
        else {}
    )
    part_faults = _find_part_faults(part, fields)
    fault_links = _list_fault_links(cards, part, part_faults, reason_faults)
    return desk.render(
        "screening",
        422 if fault_links else 200,
        screening=screening,
        source=source,
        view=view,
        report_language=displayed.language,
        sheet_languages=[
            code
            for code in list_languages()
            if desk.formatter.has_translation(screening.assessment.rulebook, code)
        ],
        day=_format_day(desk.formatter, screening),
        cards=cards,
        reasons_for=result_page.select_strongest(groups, "desk_for"),
        reasons_against=result_page.select_strongest(groups, "desk_against"),
        shown_alternatives=SHOWN_ALTERNATIVES,
        part=part,
        part_faults=part_faults,
        fault_links=fault_links,
        faults=reason_faults,
        text=reason or "",
        is_returned=bool(kept_form and kept_form.is_after_session),
        owner=desk.seal_owner(base),
        base=base,
    )


def build_part_form(
    desk: PractitionerPage, screening: Screening
) -> tuple[answer_form.AnswerForm, int] | None:
    """Return the form of the questions to ask first, and the number of others for clinicians.

    None where the version of the screening takes no new answers.
    """
    name = screening.assessment.rulebook
    try:
        desk.rulebooks.find_active(name)
    except UnknownRulebookError:
        return None
    form = answer_form.build_answer_form(name, desk)
    first = choose_first_questions(form.rulebook, screening.answers, screening.assessment)
    omitted = {*first, *form.find_not_asked(screening.answers)}
    other_questions = [
        question for question in form.list_clinician_questions() if question not in omitted
    ]
    return form.select_questions(first), len(other_questions)


def _build_part(
    desk: PractitionerPage, screening: Screening, fields: FormFields
) -> ClinicianPart | None:
    if screening.state != "final" or not desk.has_scope("screenings:write"):
        return None
    part_form = build_part_form(desk, screening)
    if part_form is None:
        return None
    form, other_count = part_form
    is_kept = read_field(fields, FORM_FIELD) == "part"
    (control_state,) = (
        form.fill_steps_from_fields(fields)
        if is_kept
        else form.fill_steps_from_answers(screening.answers)
    )
    return ClinicianPart(form, control_state, other_count)


def _find_part_faults(part: ClinicianPart | None, fields: FormFields) -> dict[str, str]:
    if part is None or read_field(fields, FORM_FIELD) != "part":
        return {}
    return parse_step(part.form.form.steps[0], fields).faults


def _build_flag_cards(
    desk: PractitionerPage,
    screening: Screening,
    lines: tuple[FlagLine, ...],
    fields: FormFields,
) -> list[FlagCard]:
    with desk.context.transaction() as work:
        names = {person.reference: person.name for person in practitioners.list_practitioners(work)}
        work.audit("list", "practitioner")
    kept_form = (
        read_flag_action(fields) if read_field(fields, FORM_FIELD) == "acknowledge" else None
    )
    chosen_flag = desk.request.query_params.get("flag", "")
    cards: list[FlagCard] = []
    for number, line in enumerate(lines, 1):
        entry = screening.find_acknowledgement(line.id)
        has_room = sum(card.has_form for card in cards) < OPEN_FORMS
        is_kept = kept_form is not None and entry is None and kept_form.flag in {line.id, None}
        cards.append(
            FlagCard(
                number,
                line,
                entry is None and (has_room or is_kept or line.id == chosen_flag),
                is_kept or line.id == chosen_flag,
                names.get(entry.practitioner, entry.practitioner) if entry else "",
                desk.formatter.format_moment(entry.at) if entry else "",
                entry,
                {"reached": kept_form.person_reached or "", "done": kept_form.action_taken}
                if is_kept and kept_form
                else {},
                find_action_faults(kept_form) if is_kept and kept_form else {},
            )
        )
    return cards


def _read_kept(fields: FormFields, form: str, name: str) -> str | None:
    return read_text(fields, name) if read_field(fields, FORM_FIELD) == form else None


def _list_fault_links(
    cards: list[FlagCard],
    part: ClinicianPart | None,
    part_faults: Mapping[str, str],
    reason_faults: Mapping[str, str],
) -> list[FaultLink]:
    labels = {"reached": "desk_reached", "done": "desk_action_taken"}
    links = [
        FaultLink(f"{name}-{card.number}", labels[name], phrase)
        for card in cards
        for name, phrase in card.faults.items()
    ]
    if part:
        links += list_question_faults(part.form, part_faults)
    links += [FaultLink(name, "desk_reason", phrase) for name, phrase in reason_faults.items()]
    return links


def list_question_faults(
    form: answer_form.AnswerForm, faults: Mapping[str, str]
) -> list[FaultLink]:
    """Return the faulty questions of a form for its summary."""
    return [
        FaultLink(
            question.name,
            question.text,
            faults[question.name],
            {"least": question.minimum, "most": question.maximum},
        )
        for question in form.form.questions
        if question.name in faults
    ]


def _format_day(formatter: DisplayFormatter, screening: Screening) -> str:
    answered_on: date | None = screening.context.answered_on
    return formatter.format_day(answered_on or screening.created_at)
