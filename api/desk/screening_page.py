"""Build the page of one screening: what to act on, the result, the clinician's part, the rest."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from fastapi import Response
from pydantic import TypeAdapter

from api.desk import answer_form, result_page
from api.desk.answer_form import (
    MAX_LINE,
    MAX_NOTE,
    find_text_fault,
    is_valid_text,
    read_text,
)
from api.desk.screening_rows import DisplayFormatter
from api.desk.session_guard import PractitionerPage
from api.documents import document_builder, issuance
from api.forms.answer_parser import ControlState, parse_step
from api.store.accounts import practitioners
from api.store.screenings.acknowledgements import FlagAction
from api.web.page_route import FormFields, read_field
from api.web.page_texts import list_languages, load_page_texts
from reports.view.model import FlagLine
from schemas.patient import Note, Reference
from schemas.screening import Acknowledgement, Screening
from scoring.catalogue import UnknownRulebookError
from scoring.first_questions import choose_first_questions

SCREENINGS_PATH = "/desk/screenings"
FORM_FIELD = "form"
_NOTE = TypeAdapter[Any](Note)
_LINE = TypeAdapter[Any](Reference)


class FlagCard(NamedTuple):
    """A red flag, and what was done about it or the form in which that is recorded."""

    number: int
    line: FlagLine
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
    """The clinician's questions: those to ask first, and the others."""

    first: tuple[Any, ControlState]
    other_questions: tuple[Any, ControlState]
    questions: answer_form.AnswerForm


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
    source = issuance.load_report_source(desk.context, screening_id)
    screening, assessment = source.screening, source.screening.assessment
    view, report_language = document_builder.build_screening_view(
        desk.rulebooks, desk.load_print_settings(), source, desk.language
    )
    formatter = desk.formatter
    report_formatter = DisplayFormatter(desk.rulebooks, report_language, formatter.time_zone)
    book = report_formatter.find_rulebook(assessment.rulebook)
    loaded = report_formatter.find_loaded(assessment.rulebook)
    groups = result_page.group_criteria(view, assessment, book) if book else []
    cards = _build_flag_cards(desk, screening, view.flags, fields)
    part = _build_part(desk, screening, fields)
    reason = _read_kept(fields, "error", "reason")
    none = load_page_texts(report_language).say("none")
    answer_groups, unanswered = (
        result_page.describe_answers(loaded, report_language, screening.answers, none)
        if loaded
        else ([], [])
    )
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
        report_language=report_language,
        sheet_languages=[
            code
            for code in list_languages()
            if formatter.has_translation(assessment.rulebook, code)
        ],
        day=_format_day(formatter, screening),
        cards=cards,
        groups=groups,
        reasons_for=result_page.select_strongest(groups, "desk_for"),
        reasons_against=result_page.select_strongest(groups, "desk_against"),
        find_sources=lambda marks: result_page.find_sources(view, marks),
        part=part,
        part_faults=part_faults,
        answer_groups=answer_groups,
        unanswered=unanswered,
        fault_links=fault_links,
        faults=reason_faults,
        text=reason or "",
        is_returned=bool(kept_form and kept_form.is_after_session),
        owner=desk.seal_owner(base),
        base=base,
    )


def build_part_form(
    desk: PractitionerPage, screening: Screening
) -> tuple[answer_form.AnswerForm, tuple[str, ...]] | None:
    """Return the form of the clinician's part and the ids of the questions to ask first.

    None where the version of the screening takes no new answers.
    """
    name = screening.assessment.rulebook
    try:
        desk.rulebooks.find_active(name)
    except UnknownRulebookError:
        return None
    form = answer_form.build_answer_form(name, desk)
    form_questions = {question.id for question in form.form.questions}
    first_choices = choose_first_questions(form.rulebook, screening.answers, screening.assessment)
    first = tuple(question for question in first_choices if question in form_questions)
    not_asked = form.find_not_asked(screening.answers)
    other_questions = tuple(
        question
        for question in form.list_clinician_questions()
        if question not in first and question not in not_asked
    )
    return form.select_questions((*first, *other_questions)), first


def _build_part(
    desk: PractitionerPage, screening: Screening, fields: FormFields
) -> ClinicianPart | None:
    if screening.state != "final" or not desk.has_scope("screenings:write"):
        return None
    part_form = build_part_form(desk, screening)
    if part_form is None or not part_form[0].form.questions:
        return None
    form, first = part_form
    states = []
    for ids in (first, [it.id for it in form.form.questions if it.id not in first]):
        selected = form.select_questions(ids)
        is_kept = read_field(fields, FORM_FIELD) == "part"
        (state,) = (
            selected.fill_steps_from_fields(fields)
            if is_kept
            else selected.fill_steps_from_answers(screening.answers)
        )
        states.append((selected.form.steps[0], state))
    return ClinicianPart(states[0], states[1], form)


def _find_part_faults(part: ClinicianPart | None, fields: FormFields) -> dict[str, str]:
    if part is None or read_field(fields, FORM_FIELD) != "part":
        return {}
    return parse_step(part.questions.form.steps[0], fields).faults


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
    cards = []
    for number, line in enumerate(lines, 1):
        entry = screening.find_acknowledgement(line.id)
        is_kept = kept_form is not None and entry is None and kept_form.flag in {line.id, None}
        cards.append(
            FlagCard(
                number,
                line,
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
        links += list_question_faults(part.questions, part_faults)
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
