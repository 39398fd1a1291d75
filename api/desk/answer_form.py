"""Build a clinician's answer form and parse its submission into a validated intake."""

from datetime import datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from api.desk.session_guard import PractitionerPage
from api.forms.answer_parser import ControlState, fill_from_answers, fill_from_fields, parse_step
from api.forms.body_map import build_body_map
from api.forms.form_model import SKIPPED, UNKNOWN, FormOptions, IntakeForm, build_form
from api.forms.handlers import build_intake_adapter
from api.problems import Problem
from api.web.page_route import FormFields, read_field
from schemas.patient import KnownPatient, Note, Reference
from schemas.rulebook_name import RulebookName
from schemas.screening import Screening
from scoring.catalogue import UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook

_NOTE = TypeAdapter[Any](Note)
_REFERENCE = TypeAdapter[Any](Reference)
PATIENT_FIELDS = ("reference", "system", "name")


class ParsedAnswers(NamedTuple):
    """A submitted answer form: the intake, or None with the faults by field name."""

    intake: Any
    faults: dict[str, str]


class AnswerForm(NamedTuple):
    """All questions of a rulebook, as a form for clinicians."""

    rulebook: LoadedRulebook
    form: IntakeForm

    def build_variables(
        self, control_states: list[ControlState], faults: dict[str, str], *, is_open: bool
    ) -> dict[str, Any]:
        """Return the template variables; `is_open` unfolds every topic."""
        questions = self.form.questions
        return {
            "title": self.rulebook.rulebook.rulebook.title,
            "steps": [
                (
                    step,
                    control_state,
                    _count_answers(control_state),
                    is_open or step.for_clinician or any(q.name in faults for q in step.questions),
                )
                for step, control_state in zip(self.form.steps, control_states, strict=True)
            ],
            "form_language": self.form.language,
            "faults": faults,
            "questions": questions,
            "body_maps": {
                question.name: build_body_map(question)
                for question in questions
                if question.has_body_map
            },
        }

    def fill_steps_from_answers(self, answers: dict[str, Any]) -> list[ControlState]:
        """Return the control state of each step for saved answers."""
        return [fill_from_answers(step, answers, {}) for step in self.form.steps]

    def fill_steps_from_fields(self, fields: FormFields) -> list[ControlState]:
        """Return the control state of each step as they were submitted."""
        return [fill_from_fields(step, fields) for step in self.form.steps]


def build_answer_form(name: str, desk: PractitionerPage) -> AnswerForm:
    """Return the form of a rulebook or of its successor. Raises UnknownRulebookError."""
    adversity = desk.read_form_settings().adversity_questions
    try:
        loaded = desk.rulebooks.find_active(name)
    except UnknownRulebookError:
        loaded = desk.rulebooks.find_active(RulebookName.parse(name).instrument)
    options = FormOptions("clinician", desk.language, asks_adversity=adversity)
    return AnswerForm(loaded, build_form(loaded, options))


def parse_answers(
    desk: PractitionerPage, form: AnswerForm, fields: FormFields, original: Screening | None
) -> ParsedAnswers:
    """Return the intake of a new patient, or of the original screening that it corrects."""
    answers, faults = _parse_steps(form, fields, original)
    note = read_text(fields, "note") or None
    if note is not None and not is_valid_text(_NOTE, note):
        faults["note"] = "fault_text"
    patient = original.patient if original else parse_patient(fields, faults)
    if faults or patient is None:
        return ParsedAnswers(None, faults)
    context = original.context if original else None
    body = {
        "rulebook": form.rulebook.name,
        "patient": patient,
        "answered_on": (context and context.answered_on) or datetime.now(desk.time_zone).date(),
        "answered_by": (context and context.answered_by) or "clinician",
        "clinician": {"reference": desk.signed_in.practitioner.reference},
        "note": note,
        "answers": answers,
    }
    try:
        return ParsedAnswers(build_intake_adapter(desk.rulebooks).validate_python(body), {})
    except ValidationError:  # an answer kept from an older rulebook no longer fits its question
        raise Problem("conflict") from None


def parse_patient(fields: FormFields, faults: dict[str, str]) -> KnownPatient | None:
    """Return the patient, or None after adding the faults of the fields."""
    values = {name: read_field(fields, name).strip() or None for name in PATIENT_FIELDS}
    for name, text in values.items():
        if text is not None and not is_valid_text(_REFERENCE, text):
            faults[name] = "fault_text"
    if values["reference"] is None:
        faults["reference"] = "fault_reference"
    return None if faults else KnownPatient.model_validate(values)


def read_text(fields: FormFields, name: str) -> str:
    r"""Return the text of a multi-line field, stripped and with `\n` as line ending."""
    return read_field(fields, name).replace("\r\n", "\n").strip()


def is_valid_text(text_type: TypeAdapter[Any], text: str) -> bool:
    """Return whether the text conforms to a pydantic type."""
    try:
        text_type.validate_python(text)
    except ValidationError:
        return False
    return True


def _count_answers(control_state: ControlState) -> int:
    open_values = {UNKNOWN, SKIPPED}
    selections = [
        values
        for values in control_state.selected_options.values()
        if values and not values & open_values
    ]
    return len(selections) + len([text for text in control_state.entered_text.values() if text])


def _parse_steps(
    form: AnswerForm, fields: FormFields, original: Screening | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return answers and faults; original answers to questions not on this form are kept."""
    on_form = {question.id for question in form.form.questions}
    in_rulebook = {question.id for question in form.rulebook.rulebook.question}
    original_answers = original.answers if original else {}
    answers = {k: v for k, v in original_answers.items() if k in in_rulebook and k not in on_form}
    faults: dict[str, str] = {}
    for step in form.form.steps:
        parsed_step = parse_step(step, fields)
        answers |= parsed_step.answers
        faults |= parsed_step.faults
    return answers, faults
