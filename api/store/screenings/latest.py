"""A patient's latest screening that is in force, under any of the patient's numbers."""

from collections.abc import Iterable

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from api.store.database.tables import EnteredInErrorRow, ScreeningRow
from api.store.screenings import screenings
from api.store.transaction import Transaction
from schemas.screening import Screening


def find_latest_screening(
    work: Transaction, numbers: Iterable[tuple[str, str | None]], instrument: str
) -> Screening | None:
    """Return the newest screening of the instrument that was neither replaced nor entered in error.

    A number is a reference with its system, or with None if it was stored without a system. Both
    must match exactly. Returns None if no screening matches.
    """
    patient_filters = [
        and_(
            col(ScreeningRow.patient_index).in_(
                work.data_keys.compute_keyed_hashes("patient_index", reference)
            ),
            col(ScreeningRow.system_index).in_(
                work.data_keys.compute_keyed_hashes("system_index", system)
            ),
        )
        for reference, system in numbers
    ]
    if not patient_filters:
        return None
    replacing = aliased(ScreeningRow)
    screening_id = work.session.execute(
        select(col(ScreeningRow.id))
        .where(
            col(ScreeningRow.organisation_id) == work.organisation,
            col(ScreeningRow.rulebook).startswith(f"{instrument}@", autoescape=True),
            or_(*patient_filters),
            ~exists().where(
                col(replacing.organisation_id) == work.organisation,
                col(replacing.replaces) == col(ScreeningRow.id),
            ),
            ~exists().where(
                col(EnteredInErrorRow.organisation_id) == work.organisation,
                col(EnteredInErrorRow.screening_id) == col(ScreeningRow.id),
            ),
        )
        .order_by(col(ScreeningRow.created_at).desc(), col(ScreeningRow.id).desc())
        .limit(1)
    ).scalar_one_or_none()
    return None if screening_id is None else screenings.find_screening(work, screening_id)
