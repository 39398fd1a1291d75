"""Build a clinician's answer form and parse its submission into a validated intake."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from api.desk.access.session_guard import PractitionerPage
from api.desk.screenings.answer_parts import FormPart, FormTopic, select_part
from api.forms.answer_parser import ControlState, fill_from_answers, fill_from_fields, parse_step
from api.forms.body_map import build_body_map
from api.forms.form_model import (
    FormOptions,
    FormStep,
    IntakeForm,
    build_form,
)
from api.forms.handlers import build_intake_adapter
from api.problems import Problem
from api.web.page_route import FormFields, read_field
from schemas.patients.patient import KnownPatient, Note, Reference
from schemas.patients.screening import Screening
from schemas.rulebooks.rulebook_name import RulebookName
from scoring.catalogue import UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook

_NOTE = TypeAdapter[Any](Note)
_REFERENCE = TypeAdapter[Any](Reference)
PATIENT_FIELDS = ("reference", "system", "name")
MAX_LINE = 200
MAX_NOTE = 10_000


class ParsedAnswers(NamedTuple):
    """A submitted answer form: the intake, or None with the faults by field name."""

    intake: Any
    faults: dict[str, str]


class AnswerForm(NamedTuple):
    """All questions of a rulebook, as a form for clinicians."""

    rulebook: LoadedRulebook
    form: IntakeForm

    def select_part(
        self,
        control_states: list[ControlState],
        faults: Mapping[str, str],
        not_asked: frozenset[str],
        topic_name: str,
    ) -> FormPart:
        """Return the part to show; `not_asked` are the questions that do not apply."""
        topics = [
            FormTopic(number, step, control_state)
            for number, (step, control_state) in enumerate(
                zip(self.form.steps, control_states, strict=True), 1
            )
            if any(question.id not in not_asked for question in step.questions)
        ]
        return select_part(topics, faults, topic_name)

    def build_variables(self, part: FormPart) -> dict[str, Any]:
        """Return the template variables of a part."""
        return {
            "title": self.rulebook.rulebook.rulebook.title,
            "part": part,
            "form_language": self.form.language,
            "body_maps": {
                question.name: build_body_map(question)
                for topic in part.topics
                for question in topic.step.questions
                if question.has_body_map
            },
        }

    def select_questions(self, ids: Iterable[str], heading: str = "") -> "AnswerForm":
        """Return a form of one step with these questions in their order."""
        by_id = {question.id: question for question in self.form.questions}
        questions = tuple(by_id[name] for name in ids if name in by_id)
        step = FormStep(heading, None, questions, for_clinician=True)
        return self._replace(form=self.form._replace(steps=(step,)))

    def list_clinician_questions(self) -> tuple[str, ...]:
        """Return the ids of the questions for clinicians that stored answers may fill in."""
        return tuple(
            question.id
            for step in self.form.steps
            if step.for_clinician
            for question in step.questions
            if not question.never_prefilled
        )

    def fill_steps_from_answers(self, answers: dict[str, Any]) -> list[ControlState]:
        """Return the control state of each step for saved answers."""
        return [fill_from_answers(step, answers, {}) for step in self.form.steps]

    def find_not_asked(self, answers: dict[str, Any]) -> frozenset[str]:
        """Return the questions that do not apply by these answers; answers to them stay shown."""
        own_answers = {
            name: answer for name, answer in answers.items() if name in self._question_ids
        }
        return frozenset(self.rulebook.read_answers(own_answers).not_asked)

    @property
    def _question_ids(self) -> frozenset[str]:
        return frozenset(question.id for question in self.rulebook.rulebook.question)

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
    if original is not None and "note" not in fields:
        note = original.context.note
    if note is not None and not is_valid_text(_NOTE, note):
        faults["note"] = find_text_fault(note, MAX_NOTE)
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
            faults[name] = find_text_fault(text, MAX_LINE)
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


def find_text_fault(text: str, most: int) -> str:
    """Return the phrase that says what is wrong with an invalid text of a field."""
    if not text:
        return "fault_empty"
    if len(text) <= most:
        return "fault_signs"
    return "fault_long_note" if most == MAX_NOTE else "fault_long_line"


def is_unchanged(form: AnswerForm, original: Screening, intake: Any) -> bool:
    """Return whether a corrected form says what the screening says already.

    A question that is never filled in from stored answers and was left blank again is unchanged.
    """
    after = _normalise(intake.answers.model_dump(exclude_none=True))
    never_prefilled = form.rulebook.rulebook.rulebook.assessed_question
    before = {
        name: answer
        for name, answer in _normalise(original.answers).items()
        if name in after or name != never_prefilled
    }
    return (after, intake.note) == (before, original.context.note) and (
        form.rulebook.name == original.assessment.rulebook
    )


def _normalise(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers so that equal ones compare equal: numbers exact, options in any order."""
    return {
        name: frozenset(answer)
        if isinstance(answer, list | tuple)
        else answer
        if isinstance(answer, bool | str)
        else Decimal(str(answer))
        for name, answer in answers.items()
        if answer is not None
    }


def _parse_steps(
    form: AnswerForm, fields: FormFields, original: Screening | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return answers and faults; original answers to questions not on this form are kept.

    What was already assessed is kept only if a clinician had answered it.
    """
    on_form = {question.id for question in form.form.questions}
    in_rulebook = {question.id for question in form.rulebook.rulebook.question}
    original_answers = original.answers if original else {}
    attested = original is not None and original.context.clinician is not None
    never_prefilled = form.rulebook.rulebook.rulebook.assessed_question
    answers = {
        name: answer
        for name, answer in original_answers.items()
        if name in in_rulebook and name not in on_form and (attested or name != never_prefilled)
    }
    faults: dict[str, str] = {}
    for step in form.form.steps:
        parsed_step = parse_step(step, fields)
        answers |= parsed_step.answers
        faults |= parsed_step.faults
    return answers, faults
