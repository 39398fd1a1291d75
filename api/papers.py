"""Papers: an intake and its assessment, brought together for the report."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from reports.heading import Heading
from reports.lines import View
from reports.view import view
from schemas.screening import Screening
from scoring.catalogue import Catalogue
from scoring.engine import assess


class Printed(NamedTuple):
    """In whose name a paper is printed, and whether it says that it is a test."""

    organisation: str | None
    test: bool


def viewed(rulebooks: Catalogue, printed: Printed, intake: Any) -> View:
    """All that a report of this intake shows, whatever its format."""
    loaded = rulebooks.active(intake.rulebook)
    answers = intake.answers.model_dump(exclude_none=True)
    assessment = assess(loaded, answers, attested=intake.attested)
    return view(loaded.rulebook, assessment, _heading(printed, intake))


def viewed_kept(rulebooks: Catalogue, printed: Printed, screening: Screening) -> View:
    """All that a report of a kept screening shows. Nothing is scored again."""
    instrument, _, version = screening.assessment.rulebook.partition("@")
    loaded = rulebooks.any_status(instrument, version)
    patient, context = screening.patient, screening.context
    heading = Heading(
        patient_reference=patient.reference,
        patient_name=patient.name,
        birth_date=patient.birth_date,
        encounter=patient.encounter,
        answered_on=context.answered_on,
        answered_by=context.answered_by,
        clinician_reference=context.clinician.reference if context.clinician else None,
        note=context.note,
        produced_on=datetime.now(UTC).date(),
        organisation=printed.organisation,
        test=printed.test,
    )
    return view(loaded.rulebook, screening.assessment, heading)


def _heading(printed: Printed, intake: Any) -> Heading:
    patient = intake.patient
    return Heading(
        patient_reference=patient and patient.reference,
        patient_name=patient and patient.name,
        birth_date=patient and patient.birth_date,
        encounter=patient and patient.encounter,
        answered_on=intake.answered_on,
        answered_by=intake.answered_by,
        clinician_reference=intake.clinician and intake.clinician.reference,
        note=intake.note,
        produced_on=datetime.now(UTC).date(),
        organisation=printed.organisation,
        test=printed.test,
    )
