"""Lists of deliveries: a page of an organisation's, newest first; all that went of a person."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, or_, select
from sqlmodel import col

from api.store.database.tables import DeliveryRow, DestinationRow
from api.store.deliveries.outbox import line
from api.store.transaction import Transaction
from schemas.delivery import DeliveryLine
from schemas.rights import KeptDelivery


class Narrowed(NamedTuple):
    """What a list is narrowed by; None does not narrow. `before` is the last one seen."""

    state: str | None = None
    destination: str | None = None
    screening: str | None = None
    before: tuple[datetime, str] | None = None


def page(work: Transaction, narrowed: Narrowed, most: int) -> list[DeliveryLine]:
    """At most so many."""
    filters = {
        DeliveryRow.state: narrowed.state,
        DeliveryRow.destination_id: narrowed.destination,
        DeliveryRow.screening_id: narrowed.screening,
    }
    which: list[Any] = [col(DeliveryRow.organisation_id) == work.organisation]
    which += [col(column) == value for column, value in filters.items() if value is not None]
    if narrowed.before is not None:
        at, last = narrowed.before
        created, number = col(DeliveryRow.created_at), col(DeliveryRow.id)
        which.append(or_(created < at, and_(created == at, number < last)))
    rows = work.session.execute(
        select(DeliveryRow)
        .where(*which)
        .order_by(col(DeliveryRow.created_at).desc(), col(DeliveryRow.id).desc())
        .limit(most)
    ).scalars()
    return [line(row) for row in rows]


def kept(work: Transaction, ids: list[str]) -> Iterator[KeptDelivery]:
    """What was sent of these screenings, or is to be, by the names of its destinations."""
    rows = work.session.execute(
        select(DeliveryRow, col(DestinationRow.name))
        .join(
            DestinationRow,
            (col(DestinationRow.organisation_id) == col(DeliveryRow.organisation_id))
            & (col(DestinationRow.id) == col(DeliveryRow.destination_id)),
        )
        .where(
            col(DeliveryRow.organisation_id) == work.organisation,
            col(DeliveryRow.screening_id).in_(ids),
        )
        .order_by(col(DeliveryRow.created_at), col(DeliveryRow.id))
    )
    for row, name in rows:
        content = None
        if row.payload is not None:
            content = work.open(row.key_id, "delivery", "payload", row.id, row.payload)
        yield KeptDelivery(
            screening=row.screening_id,
            destination=name,
            event=row.event,
            state=row.state,
            created_at=row.created_at,
            content=None if content is None else b64encode(content),
        )
