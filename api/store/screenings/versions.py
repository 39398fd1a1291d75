"""The versions of a screening: the first one and the corrections that follow it."""

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


def find_first_version_id(work: Transaction, screening: str) -> str:
    """Return the id of the first version of this screening."""
    version, replaced_id = screening, _find_replaced_id(work, screening)
    while replaced_id is not None:
        version, replaced_id = replaced_id, _find_replaced_id(work, replaced_id)
    return version


def _find_replaced_id(work: Transaction, screening: str) -> str | None:
    query = work.select(ScreeningRow.replaces).where(col(ScreeningRow.id) == screening)
    return work.session.execute(query).scalar_one_or_none()
