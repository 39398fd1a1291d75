"""A patient's latest screening that is in force, under any of the patient's numbers."""

from collections.abc import Iterable

from sqlalchemy import or_
from sqlmodel import col

from api.store.database.tables import ScreeningRow
from api.store.screenings import screenings
from api.store.screenings.conditions import IS_IN_FORCE, is_of_instrument, is_of_patient
from api.store.transaction import Transaction
from schemas.patient import PatientNumber
from schemas.screening import Screening


def find_latest_screening(
    work: Transaction, numbers: Iterable[PatientNumber], instrument: str
) -> Screening | None:
    """Return the newest screening in force under one of these numbers and systems, or None."""
    patient_filters = [is_of_patient(work, *number) for number in numbers]
    if not patient_filters:
        return None
    screening_id = work.session.execute(
        work.select(ScreeningRow.id)
        .where(is_of_instrument(instrument), or_(*patient_filters), IS_IN_FORCE)
        .order_by(col(ScreeningRow.created_at).desc(), col(ScreeningRow.id).desc())
        .limit(1)
    ).scalar_one_or_none()
    return None if screening_id is None else screenings.find_screening(work, screening_id)
