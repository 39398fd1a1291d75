"""Fingerprints of imported file rows, so that no row is imported twice."""

from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from api.store.database.tables import ImportedRow
from api.store.errors import ConflictError
from api.store.screenings import screenings
from api.store.screenings.screenings import ScoredIntake
from api.store.transaction import Transaction
from schemas.screening import Screening


def is_imported(work: Transaction, row: str) -> bool:
    """Return whether this row was imported and its screening is still stored."""
    return bool(work.count(ImportedRow, col(ImportedRow.fingerprint) == _fingerprint(work, row)))


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
