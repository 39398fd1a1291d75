"""Lists of deliveries: pages of an organisation's deliveries, and all deliveries of a patient."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, or_
from sqlmodel import col

from api.store.database.tables import DeliveryRow, DestinationRow, match_reference
from api.store.deliveries.outbox import build_delivery_line
from api.store.transaction import Transaction
from schemas.organisations.delivery import DeliveryListItem
from schemas.patients.rights import StoredDelivery


class DeliveryFilters(NamedTuple):
    """Filters of a delivery list; None does not filter. `before` is the last delivery seen."""

    state: str | None = None
    destination: str | None = None
    screening: str | None = None
    before: tuple[datetime, str] | None = None


def list_deliveries(
    work: Transaction, filters: DeliveryFilters, limit: int
) -> list[DeliveryListItem]:
    """Return at most `limit` deliveries that match the filters, newest first."""
    columns = {
        DeliveryRow.state: filters.state,
        DeliveryRow.destination_id: filters.destination,
        DeliveryRow.screening_id: filters.screening,
    }
    query = work.select(DeliveryRow).where(
        *(col(column) == value for column, value in columns.items() if value is not None)
    )
    if filters.before is not None:
        at, last = filters.before
        created, number = col(DeliveryRow.created_at), col(DeliveryRow.id)
        query = query.where(or_(created < at, and_(created == at, number < last)))
    rows = work.list_rows(
        query.order_by(col(DeliveryRow.created_at).desc(), col(DeliveryRow.id).desc()).limit(limit)
    )
    return [build_delivery_line(row) for row in rows]


def list_exported_deliveries(work: Transaction, ids: list[str]) -> Iterator[StoredDelivery]:
    """Yield all deliveries of these screenings with their payloads, oldest first."""
    rows = work.session.execute(
        work.select(DeliveryRow, col(DestinationRow.name))
        .join(DestinationRow, match_reference(DeliveryRow.destination_id, DestinationRow))
        .where(col(DeliveryRow.screening_id).in_(ids))
        .order_by(col(DeliveryRow.created_at), col(DeliveryRow.id))
    )
    for row, name in rows:
        content = None if row.payload is None else work.decrypt_column(row, "payload")
        yield StoredDelivery(
            screening=row.screening_id,
            destination=name,
            event=row.event,
            state=row.state,
            created_at=row.created_at,
            content=None if content is None else b64encode(content),
        )
