"""The latest screening that holds, of one patient under whatever numbers the patient has."""

from collections.abc import Iterable

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from api.store.database.tables import EnteredInErrorRow, ScreeningRow
from api.store.screenings import screenings
from api.store.transaction import Transaction
from schemas.screening import Screening


def latest(
    work: Transaction, numbers: Iterable[tuple[str, str | None]], instrument: str
) -> Screening | None:
    """The newest of the instrument that was neither replaced nor entered in error.

    A number is a reference with the system that numbers so, or None for one kept without a system:
    each is met exactly.
    """
    whose = [
        and_(
            col(ScreeningRow.patient_index).in_(work.keys.keyed("patient_index", reference)),
            col(ScreeningRow.system_index).in_(work.keys.keyed("system_index", system)),
        )
        for reference, system in numbers
    ]
    if not whose:
        return None
    replacing = aliased(ScreeningRow)
    found = work.session.execute(
        select(col(ScreeningRow.id))
        .where(
            col(ScreeningRow.organisation_id) == work.organisation,
            col(ScreeningRow.rulebook).startswith(f"{instrument}@", autoescape=True),
            or_(*whose),
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
    return screenings.found(work, found) if found else None
