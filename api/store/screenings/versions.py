"""The versions of a screening: the first one and the corrections that follow it.

FHIR resources are known by the id of the first version.
"""

from sqlmodel import col

from api.store.database.tables import ScreeningRow
from api.store.errors import NotFoundError
from api.store.screenings import screenings
from api.store.transaction import Transaction
from schemas.patients.screening import Screening


def list_versions(work: Transaction, first: str) -> list[Screening]:
    """Return a first version and its corrections in order. Raises NotFoundError."""
    versions = [screenings.find_screening(work, first)]
    if versions[0].replaces is not None:
        raise NotFoundError
    while (next_id := versions[-1].replaced_by) is not None:
        versions.append(screenings.find_screening(work, next_id))
    return versions


def list_first_versions(work: Transaction) -> list[tuple[str, str]]:
    """Return the id of each first version with the reference of its patient, oldest first."""
    query = work.select(ScreeningRow).where(col(ScreeningRow.replaces).is_(None))
    rows = work.list_rows(query.order_by(col(ScreeningRow.created_at), col(ScreeningRow.id)))
    return [(row.id, screenings.decrypt_patient(work, row).reference) for row in rows]


def find_first_version_id(work: Transaction, screening: str) -> str:
    """Return the id of the first version of this screening."""
    version, replaced_id = screening, _find_replaced_id(work, screening)
    while replaced_id is not None:
        version, replaced_id = replaced_id, _find_replaced_id(work, replaced_id)
    return version


def _find_replaced_id(work: Transaction, screening: str) -> str | None:
    query = work.select(ScreeningRow.replaces).where(col(ScreeningRow.id) == screening)
    return work.session.execute(query).scalar_one_or_none()
