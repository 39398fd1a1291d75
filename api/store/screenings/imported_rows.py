"""Fingerprints of imported file rows, so that no row is imported twice."""

from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from api.store.database.tables import ImportedRow
from api.store.errors import ConflictError
from api.store.screenings import screenings
from api.store.screenings.scored_intake import ScoredIntake
from api.store.transaction import Transaction
from schemas.patients.screening import Screening


def find_imported_screening(work: Transaction, row: str) -> Screening | None:
    """Return the newest screening of this row; None if it was not imported or is not stored."""
    imported_row = work.find(ImportedRow, col(ImportedRow.fingerprint) == _fingerprint(work, row))
    if imported_row is None:
        return None
    screening = screenings.find_screening(work, imported_row.screening_id)
    while screening.replaced_by is not None:
        screening = screenings.find_screening(work, screening.replaced_by)
    return screening


def add_imported_screening(work: Transaction, row: str, intake: ScoredIntake) -> Screening:
    """Store the screening and fingerprint of a row. Raises ConflictError for a concurrent one."""
    screening = screenings.add_screening(work, intake)
    values = {"fingerprint": _fingerprint(work, row), "screening_id": screening.id, "at": work.now}
    try:
        work.insert(ImportedRow, values)
    except IntegrityError:
        raise ConflictError("The row is being imported by another process.") from None
    return screening


def _fingerprint(work: Transaction, row: str) -> str:
    return work.compute_fingerprint(b"imported row\x1f" + row.encode())
