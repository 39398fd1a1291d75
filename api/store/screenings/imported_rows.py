"""Fingerprints of imported file rows, so that no row is imported twice."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from api.problems import Problem
from api.store.database.tables import ImportedRow
from api.store.screenings import screenings
from api.store.screenings.screenings import Kept
from api.store.transaction import Transaction
from schemas.screening import Screening


def is_there(work: Transaction, row: str) -> bool:
    """Return whether this row was imported and its screening is still stored."""
    imported = work.session.execute(
        select(col(ImportedRow.screening_id)).where(
            col(ImportedRow.organisation_id) == work.organisation,
            col(ImportedRow.fingerprint) == _fingerprint(work, row),
        )
    ).first()
    return imported is not None


def keep(work: Transaction, row: str, intake: Kept) -> Screening:
    """Store the screening of an imported row with the fingerprint of the row.

    Raises Problem `conflict` if another process is importing the same row.
    """
    screening = screenings.add(work, intake)
    values = {
        "organisation_id": work.organisation,
        "fingerprint": _fingerprint(work, row),
        "screening_id": screening.id,
        "at": work.now,
    }
    try:
        work.session.put(ImportedRow, values)
    except IntegrityError:
        raise Problem("conflict", "The row is being imported by another process.") from None
    return screening


def _fingerprint(work: Transaction, row: str) -> str:
    return work.fingerprint(b"imported row\x1f" + row.encode())
