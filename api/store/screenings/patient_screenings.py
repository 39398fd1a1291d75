"""All screenings of one patient in force, under exactly this number and system."""

from sqlmodel import col

from api.store.database.tables import ScreeningRow
from api.store.screenings import screenings
from api.store.screenings.conditions import FIRST_STORED_AT, IS_IN_FORCE, is_of_patient
from api.store.transaction import Transaction
from schemas.patients.patient import KnownPatient
from schemas.patients.screening import Screening

MAX_SCREENINGS = 50


def list_screenings(work: Transaction, patient: KnownPatient) -> list[Screening]:
    """Return at most 50 screenings, newest first, neither replaced nor entered in error."""
    ids = work.list_rows(
        work.select(ScreeningRow.id)
        .where(is_of_patient(work, patient.reference, patient.system), IS_IN_FORCE)
        .order_by(FIRST_STORED_AT.desc(), col(ScreeningRow.created_at).desc())
        .limit(MAX_SCREENINGS)
    )
    return [screenings.find_screening(work, screening_id) for screening_id in ids]


def count_screenings(work: Transaction, patient: KnownPatient) -> int:
    """Return how many screenings of the patient are stored, replaced ones included."""
    return work.count(ScreeningRow, is_of_patient(work, patient.reference, patient.system))
