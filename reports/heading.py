"""The heading of a report: whom it is about, and who answered when."""

from datetime import date

from schemas.base import Frozen


class Heading(Frozen):
    """What stands above the assessment; all of it optional but the day of production."""

    produced_on: date
    patient_reference: str | None = None
    patient_name: str | None = None
    birth_date: date | None = None
    encounter: str | None = None
    answered_on: date | None = None
    answered_by: str | None = None
    clinician_reference: str | None = None
    note: str | None = None
    organisation: str | None = None
    test: bool = False
