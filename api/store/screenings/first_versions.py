"""The first version of every screening of an organisation, by which its resources are known."""

from sqlmodel import col

from api.store.database.tables import ScreeningRow
from api.store.screenings import screenings
from api.store.transaction import Transaction


def list_first_versions(work: Transaction) -> list[tuple[str, str]]:
    """Return the id of each first version with the reference of its patient, oldest first."""
    query = work.select(ScreeningRow).where(col(ScreeningRow.replaces).is_(None))
    rows = work.list_rows(query.order_by(col(ScreeningRow.created_at), col(ScreeningRow.id)))
    return [(row.id, screenings.decrypt_patient(work, row).reference) for row in rows]
