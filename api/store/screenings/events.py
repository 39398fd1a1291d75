"""Later events of a screening, one row each: replacement, error, acknowledgement, patient move."""

import json

from sqlalchemy import select
from sqlmodel import col

from api.store.database.tables import (
    AcknowledgementRow,
    EnteredInErrorRow,
    PatientMoveRow,
    ScreeningRow,
)
from api.store.transaction import Transaction
from schemas.screening import Acknowledgement, EnteredInError, PatientMove


def find_replacement_id(work: Transaction, screening_id: str) -> str | None:
    """Return the id of the screening that replaces this one, or None."""
    return work.session.execute(
        select(col(ScreeningRow.id)).where(
            col(ScreeningRow.organisation_id) == work.organisation,
            col(ScreeningRow.replaces) == screening_id,
        )
    ).scalar_one_or_none()


def find_error_record(work: Transaction, screening_id: str) -> EnteredInError | None:
    """Return the record that this screening was entered in error, or None."""
    row = work.session.execute(
        select(EnteredInErrorRow).where(
            col(EnteredInErrorRow.organisation_id) == work.organisation,
            col(EnteredInErrorRow.screening_id) == screening_id,
        )
    ).scalar_one_or_none()
    if row is None:
        return None
    reason = work.decrypt_field(row.key_id, "entered_in_error", "reason", screening_id, row.reason)
    return EnteredInError(at=row.at, by=row.actor, reason=reason.decode())


def list_acknowledgements(work: Transaction, screening_id: str) -> tuple[Acknowledgement, ...]:
    """Return the acknowledgements of its red flags, oldest first."""
    rows = work.session.execute(
        select(AcknowledgementRow)
        .where(
            col(AcknowledgementRow.organisation_id) == work.organisation,
            col(AcknowledgementRow.screening_id) == screening_id,
        )
        .order_by(col(AcknowledgementRow.at), col(AcknowledgementRow.id))
    ).scalars()
    return tuple(
        Acknowledgement(
            id=row.id,
            at=row.at,
            by=row.actor,
            **json.loads(
                work.decrypt_field(row.key_id, "acknowledgement", "content", row.id, row.content)
            ),
        )
        for row in rows
    )


def list_patient_moves(work: Transaction, screening_id: str) -> tuple[PatientMove, ...]:
    """Return the moves of this screening from one patient number to another, oldest first."""
    rows = work.session.execute(
        select(PatientMoveRow)
        .where(
            col(PatientMoveRow.organisation_id) == work.organisation,
            col(PatientMoveRow.screening_id) == screening_id,
        )
        .order_by(col(PatientMoveRow.at), col(PatientMoveRow.id))
    ).scalars()
    return tuple(
        PatientMove(
            at=row.at,
            by=row.actor,
            means=row.means,
            **json.loads(
                work.decrypt_field(row.key_id, "patient_move", "content", row.id, row.content)
            ),
        )
        for row in rows
    )
