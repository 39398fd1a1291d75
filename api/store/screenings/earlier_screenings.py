"""Earlier screenings of the same patient and instrument, for the trend in a report."""

from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import tuple_
from sqlmodel import col

from api.store.database.tables import ScreeningRow
from api.store.screenings.conditions import IS_IN_FORCE, is_of_instrument, is_of_patient
from api.store.screenings.screenings import decrypt_assessment
from api.store.transaction import Transaction
from schemas.assessment import Assessment
from schemas.rulebook_name import RulebookName
from schemas.screening import Screening, ScreeningContext

MAX_EARLIER = 6


class PriorScreening(NamedTuple):
    """One earlier screening, reduced to the parts that a trend shows."""

    created_at: datetime
    answered_on: date | None
    assessment: Assessment


def list_earlier_screenings(work: Transaction, screening: Screening) -> tuple[PriorScreening, ...]:
    """Return up to six earlier screenings of the instrument in force, oldest first."""
    patient = screening.patient
    instrument = RulebookName.parse(screening.assessment.rulebook).instrument
    position = tuple_(col(ScreeningRow.created_at), col(ScreeningRow.id))
    rows = work.list_rows(
        work.select(ScreeningRow)
        .where(
            is_of_patient(work, patient.reference, patient.system),
            is_of_instrument(instrument),
            position < tuple_(screening.created_at, screening.id),
            IS_IN_FORCE,
        )
        .order_by(col(ScreeningRow.created_at).desc(), col(ScreeningRow.id).desc())
        .limit(MAX_EARLIER)
    )
    return tuple(
        PriorScreening(
            row.created_at,
            ScreeningContext.model_validate_json(work.decrypt_column(row, "context")).answered_on,
            decrypt_assessment(work, row),
        )
        for row in reversed(rows)
    )
