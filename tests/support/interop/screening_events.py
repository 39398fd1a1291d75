"""Builders of screening events for HL7 v2 messages."""

from datetime import UTC, date, datetime
from typing import Any

from support.builders import assessed

from api.hl7v2.screening_event import Hl7Report, ScreeningEvent
from schemas.organisations.profile import V2Options
from schemas.patients.patient import Clinician, KnownPatient
from schemas.patients.screening import Screening, ScreeningContext, ScreeningOrigin
from scoring.catalogue import load_catalogue

AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
PDF = Hl7Report(
    "pdf", "75492-9", "Risk assessment and screening note", b"%PDF-1.7 |^~\\& " + bytes(99)
)
PATIENT = {
    "reference": "MRN-0042",
    "system": "urn:oid:1.2.3",
    "name": "Test, Pat",
    "birth_date": date(1982, 5, 1),
    "encounter": "V-77",
}


def build_screening(example: str = "widespread_pain", replaces: str | None = None, **patient: Any):
    """Build a screening as the store returns it."""
    answers, assessment = assessed(example)
    return Screening(
        id="6f6f6f6f-0000-4000-8000-000000000001",
        created_at=AT,
        replaces=replaces,
        state="final",
        patient=KnownPatient(**(PATIENT | patient)),
        assessment=assessment,
        replaced_by=None,
        entered_in_error=None,
        acknowledgements=(),
        origin=ScreeningOrigin(actor="c", means="api", software_version="1.0.0"),
        context=ScreeningContext(
            answered_on=date(2026, 11, 19), clinician=Clinician(reference="1234567893")
        ),
        answers=answers,
    )


def build_event(
    kind: str = "result",
    report: Hl7Report | None = PDF,
    screening: Screening | None = None,
    **options: Any,
) -> ScreeningEvent:
    """Build an event of a screening, by default a first result with its report."""
    screening = screening or build_screening()
    return ScreeningEvent(
        kind,
        screening,
        screening.replaces or screening.id,
        load_catalogue().find_version(screening.assessment.rulebook).rulebook,
        report,
        "CONTROL0000000000001",
        AT,
        is_test=False,
        options=V2Options(**options),
    )
