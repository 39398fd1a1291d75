"""Papers: an intake and its assessment, brought together for the report."""

from datetime import UTC, datetime
from typing import Any

from api.settings import Settings
from reports.heading import Heading
from reports.lines import View
from reports.view import view
from scoring.catalogue import Catalogue
from scoring.engine import assess


def viewed(rulebooks: Catalogue, settings: Settings, intake: Any) -> View:
    """All that a report of this intake shows, whatever its format."""
    loaded = rulebooks.active(intake.rulebook)
    answers = intake.answers.model_dump(exclude_none=True)
    assessment = assess(loaded, answers, attested=intake.attested)
    return view(loaded.rulebook, assessment, _heading(settings, intake))


def _heading(settings: Settings, intake: Any) -> Heading:
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
        organisation=settings.organisation,
        test=settings.test_organisation,
    )
