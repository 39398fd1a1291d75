"""Later events of a screening, one row each: replacement, error, acknowledgement, patient move.

Its rescorings under other versions are listed here too.
"""

import json
from typing import NamedTuple

from sqlalchemy import bindparam, or_, select
from sqlmodel import col

from api.store.database.prepared_queries import OrganisationQuery
from api.store.database.tables import (
    AcknowledgementRow,
    EnteredInErrorRow,
    PatientMoveRow,
    RescoringRow,
    ScreeningRow,
)
from api.store.screenings.conditions import (
    HAS_ACKNOWLEDGEMENTS,
    HAS_MOVES,
    HAS_RESCORINGS,
    IS_IN_ERROR,
    IS_REPLACED,
)
from api.store.transaction import Transaction
from schemas.patients.screening import Acknowledgement, EnteredInError, PatientMove
from schemas.text import accept_stored_text

_KINDS = OrganisationQuery(
    select(
        IS_REPLACED.label("is_replaced"),
        IS_IN_ERROR.label("is_in_error"),
        HAS_ACKNOWLEDGEMENTS.label("has_acknowledgements"),
        HAS_MOVES.label("has_moves"),
        HAS_RESCORINGS.label("has_rescorings"),
    ).where(col(ScreeningRow.id) == bindparam("id"))
)


class LaterEvents(NamedTuple):
    """All later events of a screening; a rescoring has those of its original too."""

    is_replaced: bool
    replaced_by: str | None = None
    error: EnteredInError | None = None
    acknowledgements: tuple[Acknowledgement, ...] = ()
    moves: tuple[PatientMove, ...] = ()
    rescored_from: str | None = None
    rescored_as: tuple[str, ...] = ()


def load_later_events(work: Transaction, screening_id: str) -> LaterEvents:
    """Return the later events of a stored screening; most have none, and are asked once only."""
    (kinds,) = work.fetch(_KINDS, id=screening_id)
    if not any(kinds):
        return LaterEvents(is_replaced=False)
    rescored_from, rescored_as = find_rescorings(work, screening_id)
    error = find_error_record(work, screening_id)
    if error is None and rescored_from is not None:
        error = find_error_record(work, rescored_from)
    return LaterEvents(
        kinds.is_replaced,
        find_replacement_id(work, screening_id),
        error,
        list_acknowledgements(work, screening_id),
        list_patient_moves(work, screening_id),
        rescored_from,
        rescored_as,
    )


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
