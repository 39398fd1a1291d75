"""The outbox: deliveries queued in order until they are known to have arrived.

A delivery is enqueued in the transaction that causes it. It leaves the queue when it is delivered,
parked for a person to review, or cancelled. Sending is done in `dispatch`.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import case, update
from sqlmodel import col

from api.store.database.tables import AttemptRow, DeliveryRow, DestinationRow, ScreeningRow
from api.store.errors import ConflictError, NotFoundError
from api.store.transaction import Transaction
from schemas.organisations.delivery import (
    Delivery,
    DeliveryAttempt,
    DeliveryEvent,
    DeliveryListItem,
)
from schemas.patients.patient import KnownPatient

SINGLE_LINE = "-"
"""The line of every delivery to a destination that needs one strict order."""
OPEN_STATES = ("waiting", "under_way")
_WAKE_TIME = case((col(DestinationRow.lease_holder).is_(None), None),
                  else_=col(DestinationRow.lease_until))  # fmt: skip
"""Wakes an idle destination: clears its next check time unless a process holds the lease."""
_INACTIVE = "The destination is not active."


def build_control_id(delivery_id: str) -> str:
    """Return the message control id of a delivery, the same for every attempt."""
    return delivery_id.replace("-", "")[:20].upper()


def compute_line(work: Transaction, patient: KnownPatient) -> str:
    """Return the line of a patient's deliveries, which are sent in order."""
    line = f"line\x1f{patient.reference}\x1f{patient.system or ''}"
    return work.compute_fingerprint(line.encode())


class NewDelivery(NamedTuple):
    """A delivery to be enqueued."""

    destination: str
    screening: str
    event: DeliveryEvent
    line: str


def lock_active_state(work: Transaction, destination_id: str) -> bool | None:
    """Return whether the destination is active and lock it; None if it does not exist."""
    query = work.select(DestinationRow.active).where(col(DestinationRow.id) == destination_id)
    return work.session.execute(query.with_for_update()).scalar_one_or_none()


def has_result_delivery(work: Transaction, destination_id: str, screening: str) -> bool:
    """Return whether the screening was enqueued there before as a result."""
    return any(
        row.destination_id == destination_id and row.event == "result"
        for row in list_delivery_rows(work, screening)
    )


def enqueue_delivery(work: Transaction, delivery: NewDelivery) -> DeliveryListItem:
    """Append a delivery to its destination's queue. Raises NotFoundError and ConflictError."""
    seq = _next_position(work, delivery.destination)
    delivery_id = str(uuid4())
    row = {
        "id": delivery_id,
        "destination_id": delivery.destination,
        "screening_id": delivery.screening,
        "event": delivery.event,
        "line": delivery.line,
        "seq": seq,
        "state": "waiting",
        "reason": "",
        "tries": 0,
        "errors": 0,
        "due_at": work.now,
        "created_at": work.now,
        "actor": work.actor.id,
        "key_id": work.current_key_id,
    }
    queued = ConflictError("This delivery already exists for the destination. Resend it instead.")
    try:
        work.insert_unique(DeliveryRow, row, queued)
    except ConflictError:
        if not work.count(ScreeningRow, col(ScreeningRow.id) == delivery.screening):
            raise NotFoundError from None
        raise
    return build_delivery_line(work.load_row(DeliveryRow, delivery_id))


def find_delivery(work: Transaction, delivery_id: str) -> Delivery:
    """Return the delivery with all its attempts. Raises NotFoundError."""
    row = work.load_row(DeliveryRow, delivery_id)
    attempts = tuple(load_attempts(work, row))
    return Delivery(**build_delivery_line(row).model_dump(), attempts=attempts)


def resend_delivery(work: Transaction, delivery_id: str) -> Delivery:
    """Queue a delivery again with fresh counters. Raises NotFoundError and ConflictError."""
    row = work.load_row(DeliveryRow, delivery_id)
    if row.state in OPEN_STATES:
        raise ConflictError("Already queued for this destination.")
    destination = work.find(DestinationRow, col(DestinationRow.id) == row.destination_id)
    if destination is None or not destination.active:
        raise ConflictError(_INACTIVE)
    update_row(
        work, row, state="waiting", reason="", tries=0, errors=0, due_at=work.now, ended_at=None
    )
    is_destination = col(DestinationRow.id) == row.destination_id
    work.update(DestinationRow, {"lease_until": _WAKE_TIME}, is_destination)
    return find_delivery(work, delivery_id)


def cancel_delivery(work: Transaction, delivery_id: str) -> Delivery:
    """Cancel a delivery, or mark an accepted one as delivered. Raises ConflictError."""
    row = work.load_row(DeliveryRow, delivery_id)
    if row.state in ("under_way", "delivered"):
        raise ConflictError("The delivery is in flight or already delivered.")
    if any(attempt.outcome == "accepted" for attempt in load_attempts(work, row)):
        update_row(work, row, state="delivered", reason="", ended_at=work.now)
    elif row.state != "cancelled":
        update_row(work, row, state="cancelled", reason="cancelled", ended_at=work.now)
        work.withdraw("delivery", delivery_id)
    return find_delivery(work, delivery_id)


def list_delivery_rows(work: Transaction, screening: str) -> list[DeliveryRow]:
    """Return the rows of all deliveries of a screening, in the order they were enqueued."""
    query = work.select(DeliveryRow).where(col(DeliveryRow.screening_id) == screening)
    return list(work.list_rows(query.order_by(col(DeliveryRow.seq))))


def load_attempts(work: Transaction, delivery: DeliveryRow) -> Iterator[DeliveryAttempt]:
    """Yield the attempts of a delivery in order."""
    query = work.select(AttemptRow).where(col(AttemptRow.delivery_id) == delivery.id)
    for row in work.list_rows(query.order_by(col(AttemptRow.number))):
        reply = None if row.reply is None else work.decrypt_column(row, "reply")
        yield DeliveryAttempt(
            **row.model_dump(include=set(DeliveryAttempt.model_fields) - {"reply"}),
            reply=None if reply is None else reply.decode("utf-8", "replace"),
        )


def update_row(work: Transaction, row: DeliveryRow, **values: Any) -> None:
    """Update columns of a delivery."""
    for name, value in values.items():
        setattr(row, name, value)
    work.session.flush()


def build_delivery_line(row: DeliveryRow) -> DeliveryListItem:
    """Convert a row to its schema, without attempts."""
    return DeliveryListItem(
        **row.model_dump(include=set(DeliveryListItem.model_fields) - {"due_at"}),
        screening=row.screening_id,
        destination=row.destination_id,
        control_id=build_control_id(row.id),
        due_at=row.due_at if row.state in OPEN_STATES else None,
        created_by=row.actor,
    )


def _next_position(work: Transaction, destination_id: str) -> int:
    """Return the next queue position, locking the destination until the transaction ends."""
    query = (
        update(DestinationRow)
        .where(
            col(DestinationRow.organisation_id) == work.organisation,
            col(DestinationRow.id) == destination_id,
        )
        .values(last_seq=col(DestinationRow.last_seq) + 1, lease_until=_WAKE_TIME)
        .returning(col(DestinationRow.last_seq), col(DestinationRow.active))
    )
    row = work.session.execute(query).one_or_none()
    if row is None:
        raise NotFoundError
    if not row.active:
        raise ConflictError(_INACTIVE)
    return int(row.last_seq)
