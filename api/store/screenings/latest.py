"""A patient's latest screening that is in force, under any of the patient's numbers."""

from collections.abc import Iterable

from sqlalchemy import or_
from sqlmodel import col

from api.store.database.tables import ScreeningRow
from api.store.screenings import screenings
from api.store.screenings.conditions import (
    FIRST_STORED_AT,
    IS_IN_FORCE,
    is_of_instrument,
    is_of_patient,
)
from api.store.transaction import Transaction
from schemas.patients.patient import PatientNumber
from schemas.patients.screening import Screening


def find_latest_screening(
    work: Transaction, numbers: Iterable[PatientNumber], instrument: str
) -> Screening | None:
    """Return the newest screening in force under one of these numbers and systems, or None.

    Old answers that were rescored are no newer for it.
    """
    numbers = tuple(numbers)
    if not numbers:
        return None
    # the index is by reference alone, and is not found behind an OR of pairs
    is_of_reference = work.match_hash(
        ScreeningRow.patient_index, *(number.reference for number in numbers)
    )
    is_of_number = or_(*(is_of_patient(work, *number) for number in numbers))
    screening_id = work.session.execute(
        work.select(ScreeningRow.id)
        .where(is_of_reference, is_of_number, is_of_instrument(instrument), IS_IN_FORCE)
        .order_by(
            FIRST_STORED_AT.desc(),
            col(ScreeningRow.created_at).desc(),
            col(ScreeningRow.id).desc(),
        )
        .limit(1)
    ).scalar_one_or_none()
    return None if screening_id is None else screenings.find_screening(work, screening_id)
