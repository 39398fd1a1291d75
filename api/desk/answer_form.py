"""Answers at a desk: the form of a clinician, and what it sends as a checked intake."""

from datetime import datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from api.desk.session_guard import Desk
from api.forms.answer_parser import Marks, kept_marks, read, sent_marks
from api.forms.body_map import picture
from api.forms.form_model import SKIPPED, UNKNOWN, Form, Step, Wish, form_of
from api.intakes.models import KeptIntake, any_intake
from api.problems import Problem
from api.web.page_route import Fields, only
from schemas.patient import KnownPatient, Note, Reference
from schemas.screening import Screening
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook

_NOTE = TypeAdapter[Any](Note)
_REFERENCE = TypeAdapter[Any](Reference)
PATIENT = ("reference", "system", "name")


class Answered(NamedTuple):
    """What was sent: an intake, or what is to be put right by the names of fields."""

    intake: Any
    faults: dict[str, str]


class Sheet(NamedTuple):
    """All questions of a rulebook, for a clinician."""

    rulebook: LoadedRulebook
    form: Form

    def shown(self, marks: list[Marks], faults: dict[str, str], *, open_: bool) -> dict[str, Any]:
        """What the page shows of it; `open_` with every topic unfolded."""
        asked = self.form.asked
        return {
            "title": self.rulebook.rulebook.rulebook.title,
            "steps": [
                (step, mark, _count(mark), open_ or step.for_clinician or _has(step, faults))
                for step, mark in zip(self.form.steps, marks, strict=True)
            ],
            "form_language": self.form.language,
            "faults": faults,
            "asked": asked,
            "pictures": {each.name: picture(each) for each in asked if each.body_map},
        }

    def kept(self, answers: dict[str, Any]) -> list[Marks]:
        """The controls as these answers have them."""
        return [kept_marks(step, answers, {}) for step in self.form.steps]

    def sent(self, fields: Fields) -> list[Marks]:
        """The controls as they were sent."""
        return [sent_marks(step, fields) for step in self.form.steps]


def sheet(rulebooks: Catalogue, name: str, desk: Desk, *, adversity: bool) -> Sheet:
    """The questions of the rulebook of that name, or of its instrument's newest where it is gone.

    Raises UnknownRulebookError.
    """
    try:
        loaded = rulebooks.active(name)
    except UnknownRulebookError:
        loaded = rulebooks.active(name.partition("@")[0])
    wish = Wish("clinician", desk.language, adversity_asked=adversity)
    return Sheet(loaded, form_of(loaded, wish))


def answered(
    rulebooks: Catalogue, desk: Desk, page: Sheet, fields: Fields, before: Screening | None
) -> Answered:
    """What the fields say of a patient: a new one's, or of the screening that they correct."""
    answers, faults = _answers(page, fields, before)
    note = written(fields, "note") or None
    if note is not None and not _is(_NOTE, note):
        faults["note"] = "fault_text"
    patient = before.patient if before else _patient(fields, faults)
    if faults or patient is None:
        return Answered(None, faults)
    context = before.context if before else None
    body = {
        "rulebook": page.rulebook.name,
        "patient": patient,
        "answered_on": (context and context.answered_on) or datetime.now(desk.clock).date(),
        "answered_by": (context and context.answered_by) or "clinician",
        "clinician": {"reference": desk.signed_in.practitioner.reference},
        "note": note,
        "answers": answers,
    }
    checked = TypeAdapter[Any](any_intake(rulebooks.scored(), KeptIntake))
    try:
        return Answered(checked.validate_python(body), {})
    except ValidationError:  # what an older rulebook asked otherwise
        raise Problem("conflict") from None


def written(fields: Fields, name: str) -> str:
    """What was written into a field of several lines."""
    return only(fields, name).replace("\r\n", "\n").strip()


def _count(marks: Marks) -> int:
    """How many questions are answered, those left open on purpose not among them."""
    marked = [each for each in marks.marked.values() if each and not each & {UNKNOWN, SKIPPED}]
    return len(marked) + len([each for each in marks.written.values() if each])


def _has(step: Step, faults: dict[str, str]) -> bool:
    return any(each.name in faults for each in step.asked)


def _answers(
    page: Sheet, fields: Fields, before: Screening | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The answers of the page; what was answered before and is not asked here stays."""
    asked = {each.id for each in page.form.asked}
    known = {each.id for each in page.rulebook.rulebook.question}
    held = before.answers if before else {}
    answers = {k: v for k, v in held.items() if k in known and k not in asked}
    faults: dict[str, str] = {}
    for step in page.form.steps:
        reading = read(step, fields)
        answers |= reading.answers
        faults |= reading.faults
    return answers, faults


def _patient(fields: Fields, faults: dict[str, str]) -> KnownPatient | None:
    given = {name: only(fields, name).strip() or None for name in PATIENT}
    for name, text in given.items():
        if (text is None and name == "reference") or (text and not _is(_REFERENCE, text)):
            faults[name] = "fault_text"
    return None if faults else KnownPatient.model_validate(given)


def _is(shape: TypeAdapter[Any], text: str) -> bool:
    try:
        shape.validate_python(text)
    except ValidationError:
        return False
    return True
