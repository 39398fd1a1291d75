"""Later events of a screening, one row each: replacement, error, acknowledgement, patient move.

Its rescorings under other versions are listed here too.
"""

import json

from sqlalchemy import or_
from sqlmodel import col

from api.store.database.tables import (
    AcknowledgementRow,
    EnteredInErrorRow,
    PatientMoveRow,
    RescoringRow,
    ScreeningRow,
)
from api.store.transaction import Transaction
from schemas.patients.screening import Acknowledgement, EnteredInError, PatientMove
from schemas.text import accept_stored_text


def find_replacement_id(work: Transaction, screening_id: str) -> str | None:
    """Return the id of the screening that replaces this one, or None."""
    query = work.select(ScreeningRow.id).where(col(ScreeningRow.replaces) == screening_id)
    return work.session.execute(query).scalar_one_or_none()


def find_rescorings(work: Transaction, screening_id: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the id of the screening that this one was rescored from, and of those made of it."""
    is_linked = or_(
        col(RescoringRow.screening_id) == screening_id,
        col(RescoringRow.original_id) == screening_id,
    )
    links = work.list_rows(
        work.select(RescoringRow).where(is_linked).order_by(col(RescoringRow.screening_id))
    )
    rescored_as = tuple(link.screening_id for link in links if link.original_id == screening_id)
    originals = (link.original_id for link in links if link.screening_id == screening_id)
    return next(originals, None), rescored_as


@accept_stored_text()
def find_error_record(work: Transaction, screening_id: str) -> EnteredInError | None:
    """Return the record that this screening was entered in error, or None."""
    row = work.find(EnteredInErrorRow, col(EnteredInErrorRow.screening_id) == screening_id)
    if row is None:
        return None
    reason = work.decrypt_column(row, "reason")
    return EnteredInError(at=row.at, by=row.actor, reason=reason.decode())


@accept_stored_text()
def list_acknowledgements(work: Transaction, screening_id: str) -> tuple[Acknowledgement, ...]:
    """Return the acknowledgements of its red flags, oldest first."""
    is_of_screening = col(AcknowledgementRow.screening_id) == screening_id
    query = work.select(AcknowledgementRow).where(is_of_screening)
    rows = work.list_rows(query.order_by(col(AcknowledgementRow.at), col(AcknowledgementRow.id)))
    return tuple(
        Acknowledgement(
            id=row.id, at=row.at, by=row.actor, **json.loads(work.decrypt_column(row, "content"))
        )
        for row in rows
    )


@accept_stored_text()
def list_patient_moves(work: Transaction, screening_id: str) -> tuple[PatientMove, ...]:
    """Return the moves of this screening from one patient number to another, oldest first."""
    query = work.select(PatientMoveRow).where(col(PatientMoveRow.screening_id) == screening_id)
    rows = work.list_rows(query.order_by(col(PatientMoveRow.at), col(PatientMoveRow.id)))
    return tuple(
        PatientMove(
            at=row.at,
            by=row.actor,
            means=row.means,
            **json.loads(work.decrypt_column(row, "content")),
        )
        for row in rows
    )
