"""Earlier screenings of the same patient and instrument, for the trend in a report."""

from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import exists, select, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import col

from api.store.database.tables import EnteredInErrorRow, ScreeningRow
from api.store.screenings.screenings import decrypt_assessment, decrypt_column
from api.store.transaction import Transaction
from schemas.assessment import Assessment
from schemas.screening import Screening, ScreeningContext

MAX_EARLIER = 6


class PriorScreening(NamedTuple):
    """One earlier screening, reduced to the parts that a trend shows."""

    created_at: datetime
    answered_on: date | None
    assessment: Assessment


def list_earlier_screenings(work: Transaction, screening: Screening) -> tuple[PriorScreening, ...]:
    """Return up to six screenings of the same instrument that precede this one, oldest first.

    Screenings that were entered in error or replaced by a correction are left out.
    """
    rows = work.session.execute(_select_in_force(work, screening)).scalars().all()
    return tuple(
        PriorScreening(
            row.created_at,
            ScreeningContext.model_validate_json(decrypt_column(work, row, "context")).answered_on,
            decrypt_assessment(work, row),
        )
        for row in reversed(rows)
    )


def _select_in_force(work: Transaction, screening: Screening) -> Any:
    patient = screening.patient
    instrument = screening.assessment.rulebook.partition("@")[0]
    replacing: Any = aliased(ScreeningRow)
    position = tuple_(col(ScreeningRow.created_at), col(ScreeningRow.id))
    return (
        select(ScreeningRow)
        .where(
            col(ScreeningRow.organisation_id) == work.organisation,
            col(ScreeningRow.patient_index).in_(
                work.data_keys.compute_keyed_hashes("patient_index", patient.reference)
            ),
            col(ScreeningRow.system_index).in_(
                work.data_keys.compute_keyed_hashes("system_index", patient.system)
            ),
            col(ScreeningRow.rulebook).startswith(f"{instrument}@", autoescape=True),
            position < tuple_(screening.created_at, screening.id),
            ~exists().where(
                replacing.organisation_id == work.organisation,
                replacing.replaces == col(ScreeningRow.id),
            ),
            ~exists().where(
                col(EnteredInErrorRow.organisation_id) == work.organisation,
                col(EnteredInErrorRow.screening_id) == col(ScreeningRow.id),
            ),
        )
        .order_by(col(ScreeningRow.created_at).desc(), col(ScreeningRow.id).desc())
        .limit(MAX_EARLIER)
    )
