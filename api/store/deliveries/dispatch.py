"""Dispatch: one process at a time sends to a destination and records each attempt beforehand.

A lease names the sending process. If that process dies, its attempt has an unknown outcome: once
the lease has expired, another process sends the same bytes under the same control id.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.database.tables import (
    AttemptRow,
    DeliveryRow,
    DestinationRow,
    OrganisationRow,
    match_reference,
)
from api.store.deliveries.outbox import OPEN_STATES
from api.store.transaction import Transaction
from schemas.organisations.delivery import DeliveryEvent

_MAX_SCANNED = 1000
_MAX_REPLY_BYTES = 4096


class DueDestination(NamedTuple):
    """A destination that has a delivery due."""

    organisation: str
    destination: str


class ClaimedDelivery(NamedTuple):
    """The delivery to send next; `payload` is None until it is first composed."""

    id: str
    destination: str
    profile: str
    screening: str
    event: DeliveryEvent
    tries: int
    errors: int
    payload: bytes | None
    seq: int


class AttemptEnd(NamedTuple):
    """How an attempt ended; `due_at` is set if the delivery is to be retried."""

    outcome: str
    code: str = ""
    reply: bytes = b""
    delivered: bool = False
    is_error: bool = False
    due_at: datetime | None = None


class Lease(NamedTuple):
    """The process that sends, and for how many seconds it excludes others."""

    holder: str
    seconds: float


def list_due_destinations(session: Session, now: datetime) -> list[DueDestination]:
    """Return every destination that has a delivery due or abandoned in flight."""
    rows = session.execute(
        select(col(DeliveryRow.organisation_id), col(DeliveryRow.destination_id))
        .join(DestinationRow, match_reference(DeliveryRow.destination_id, DestinationRow))
        .join(OrganisationRow, col(OrganisationRow.id) == col(DeliveryRow.organisation_id))
        .where(
            col(DeliveryRow.state).in_(OPEN_STATES),
            col(DeliveryRow.due_at) <= now,
            col(DestinationRow.active),
            col(OrganisationRow.active),
            or_(col(DestinationRow.lease_until).is_(None), col(DestinationRow.lease_until) <= now),
        )
        .distinct()
    )
    return [DueDestination(*row) for row in rows]


def claim_delivery(work: Transaction, destination: str, lease: Lease) -> ClaimedDelivery | None:
    """Lease the destination and return its next delivery, or None; end abandoned attempts."""
    row = work.find(DestinationRow, col(DestinationRow.id) == destination, lock=True)
    if row is None or not row.active:
        return None
    is_other = row.lease_holder not in (None, lease.holder)
    if is_other and row.lease_until is not None and row.lease_until > work.now:
        return None
    due, next_due_at = _find_due(work, destination)
    if due is None:  # no process looks again before then, unless a delivery is enqueued
        row.lease_holder, row.lease_until = None, next_due_at
        work.session.flush()
        return None
    row.lease_holder = lease.holder
    row.lease_until = work.now + timedelta(seconds=lease.seconds)
    work.session.flush()
    payload = None if due.payload is None else work.decrypt_column(due, "payload")
    event = cast("DeliveryEvent", due.event)
    return ClaimedDelivery(
        due.id,
        destination,
        row.profile,
        due.screening_id,
        event,
        due.tries,
        due.errors,
        payload,
        due.seq,
    )


def store_payload(work: Transaction, delivery: ClaimedDelivery, payload: bytes) -> bool:
    """Store the payload of a delivery, which every attempt sends. Return False if it was erased."""
    values = work.encrypt_columns(DeliveryRow, delivery.id, payload=payload)
    is_composed = col(DeliveryRow.payload).is_not(None)
    return bool(work.update(DeliveryRow, values, col(DeliveryRow.id) == delivery.id, ~is_composed))


def begin_attempt(work: Transaction, delivery: ClaimedDelivery, lease: Lease) -> int | None:
    """Record the start of an attempt and return its number; None if lease or delivery is lost."""
    lease_until = work.now + timedelta(seconds=lease.seconds)
    if not work.update(
        DestinationRow, {"lease_until": lease_until}, *_match_lease(delivery.destination, lease)
    ):
        return None
    if not work.update(
        DeliveryRow,
        {"state": "under_way", "tries": col(DeliveryRow.tries) + 1},
        col(DeliveryRow.id) == delivery.id,
        col(DeliveryRow.state) == "waiting",
    ):
        return None
    number = 1 + work.count(AttemptRow, col(AttemptRow.delivery_id) == delivery.id)
    row = {
        "id": f"{delivery.id}.{number}",
        "delivery_id": delivery.id,
        "number": number,
        "begun_at": work.now,
        "outcome": "begun",
        "code": "",
        "key_id": work.current_key_id,
    }
    work.insert(AttemptRow, row)
    return number


def end_attempt(
    work: Transaction, delivery: ClaimedDelivery, number: int | None, ending: AttemptEnd
) -> bool:
    """Record how an attempt, or composing if `number` is None, ended; False if it was lost."""
    if number is not None and not _end_attempt(work, delivery, number, ending):
        return False
    values: dict[str, Any] = {"reason": "" if ending.delivered else ending.outcome}
    if ending.due_at is not None:
        values |= {"state": "waiting", "due_at": ending.due_at}
    else:
        values |= {"state": "delivered" if ending.delivered else "parked", "ended_at": work.now}
    if ending.is_error:
        values["errors"] = col(DeliveryRow.errors) + 1
    is_open = col(DeliveryRow.state).in_(OPEN_STATES)
    return bool(work.update(DeliveryRow, values, col(DeliveryRow.id) == delivery.id, is_open))


def release_lease(work: Transaction, destination: str, lease: Lease) -> None:
    """Release the lease on the destination."""
    values = {"lease_holder": None, "lease_until": None}
    work.update(DestinationRow, values, *_match_lease(destination, lease))


def _find_due(work: Transaction, destination: str) -> tuple[DeliveryRow | None, datetime | None]:
    """Return the next due delivery among the heads of all lines, else when the next one is due."""
    rows = sorted(
        (row for state in OPEN_STATES for row in _list_by_state(work, destination, state)),
        key=lambda row: row.seq,
    )
    lines: set[str] = set()
    next_due_at: datetime | None = None
    for row in rows:
        if row.line in lines:
            continue
        lines.add(row.line)
        if row.state == "under_way":
            _end_abandoned(work, row)
        if row.due_at <= work.now:
            return row, None
        next_due_at = min(next_due_at or row.due_at, row.due_at)
    return None, next_due_at


def _list_by_state(work: Transaction, destination: str, state: str) -> Sequence[DeliveryRow]:
    """Return the first deliveries of a queue in one state: an index has only these in order."""
    is_of_queue = col(DeliveryRow.destination_id) == destination, col(DeliveryRow.state) == state
    query = work.select(DeliveryRow).where(*is_of_queue).order_by(col(DeliveryRow.seq))
    return work.list_rows(query.limit(_MAX_SCANNED))


def _end_abandoned(work: Transaction, row: DeliveryRow) -> None:
    """End the abandoned attempt of a process that died, its outcome unknown."""
    is_begun = col(AttemptRow.delivery_id) == row.id, col(AttemptRow.ended_at).is_(None)
    work.update(AttemptRow, {"ended_at": work.now, "outcome": "unknown"}, *is_begun)
    row.state, row.due_at = "waiting", work.now
    work.session.flush()


def _end_attempt(
    work: Transaction, delivery: ClaimedDelivery, number: int, ending: AttemptEnd
) -> bool:
    attempt_id = f"{delivery.id}.{number}"
    reply = {"reply": ending.reply[:_MAX_REPLY_BYTES]} if ending.reply else {}
    values = {
        "ended_at": work.now,
        "outcome": ending.outcome,
        "code": ending.code[:80],
        **work.encrypt_columns(AttemptRow, attempt_id, **reply),
    }
    is_begun = col(AttemptRow.id) == attempt_id, col(AttemptRow.ended_at).is_(None)
    return bool(work.update(AttemptRow, values, *is_begun))


def _match_lease(destination: str, lease: Lease) -> tuple[Any, ...]:
    return (col(DestinationRow.id) == destination, col(DestinationRow.lease_holder) == lease.holder)
