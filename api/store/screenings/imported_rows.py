"""Imported rows: which rows of files were kept already, by a keyed hash of each."""

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
    """Whether this row was imported, and is kept still."""
    found = work.session.execute(
        select(col(ImportedRow.screening_id)).where(
            col(ImportedRow.organisation_id) == work.organisation,
            col(ImportedRow.fingerprint) == _fingerprint(work, row),
        )
    ).first()
    return found is not None


def keep(work: Transaction, row: str, kept: Kept) -> Screening:
    """Keep what stood in the row. Raises Problem `conflict` where another was faster."""
    made = screenings.add(work, kept)
    values = {
        "organisation_id": work.organisation,
        "fingerprint": _fingerprint(work, row),
        "screening_id": made.id,
        "at": work.now,
    }
    try:
        work.session.put(ImportedRow, values)
    except IntegrityError:
        raise Problem("conflict", "The row is being imported by another process.") from None
    return made


def _fingerprint(work: Transaction, row: str) -> str:
    return work.fingerprint(b"imported row\x1f" + row.encode())
