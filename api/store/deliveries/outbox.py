"""The outbox: deliveries queued in order until they are known to have arrived.

A delivery is enqueued in the transaction that causes it. It leaves the queue when it is delivered,
parked for a person to review, or cancelled. Sending is done in `dispatch`.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast
from uuid import uuid4

from sqlalchemy import case, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from api.problems import Problem
from api.store.database.tables import AttemptRow, DeliveryRow, DestinationRow, ScreeningRow
from api.store.transaction import Transaction
from schemas.delivery import (
    Delivery,
    DeliveryAttempt,
    DeliveryEvent,
    DeliveryListItem,
    DeliveryState,
)
from schemas.patient import KnownPatient

SINGLE_LINE = "-"
"""The line of every delivery to a destination that needs one strict order."""
OPEN_STATES = ("waiting", "under_way")
_WAKE_TIME = case((col(DestinationRow.lease_holder).is_(None), None),
                  else_=col(DestinationRow.lease_until))  # fmt: skip
"""Wakes an idle destination: clears its next check time unless a process holds the lease."""
_NEVER_ACCEPTED_REASONS = ("refused", "unfit")
_NOTHING_SENT_OUTCOMES = ("unreachable", "unresolvable", "not_allowed", "no_tls")
"""Attempt outcomes in which the receiver got no byte of the message."""


def build_control_id(delivery_id: str) -> str:
    """Return the message control id of a delivery, the same for every attempt."""
    return delivery_id.replace("-", "")[:20].upper()


def compute_line(work: Transaction, patient: KnownPatient) -> str:
    """Return the line of a patient's deliveries, which are sent in order."""
    return work.compute_fingerprint(
        f"line\x1f{patient.reference}\x1f{patient.system or ''}".encode()
    )


class NewDelivery(NamedTuple):
    """A delivery to be enqueued."""

    destination: str
    screening: str
    event: DeliveryEvent
    line: str


def lock_active_state(work: Transaction, destination_id: str) -> bool | None:
    """Return whether the destination is active and lock it; None if it does not exist."""
    query = select(col(DestinationRow.active)).where(
        col(DestinationRow.organisation_id) == work.organisation,
        col(DestinationRow.id) == destination_id,
    )
    return work.session.execute(query.with_for_update()).scalar_one_or_none()


def has_result_delivery(work: Transaction, destination_id: str, screening: str) -> bool:
    """Return whether the screening was enqueued there before as a result."""
    return any(
        row.destination_id == destination_id and row.event == "result"
        for row in _list_rows(work, screening)
    )


def enqueue_delivery(work: Transaction, delivery: NewDelivery) -> DeliveryListItem:
    """Append a delivery to its destination's queue and return it.

    Raises Problem `not_found` if the destination or the screening does not exist, `conflict` if the
    destination is inactive or the same delivery was enqueued there before.
    """
    seq = _next_position(work, delivery.destination)
    delivery_id = str(uuid4())
    row = {
        "organisation_id": work.organisation,
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
        "ended_at": None,
        "actor": work.actor.id,
        "key_id": work.current_key_id,
        "payload": None,
    }
    try:
        with work.session.begin_nested():
            work.session.execute(insert(DeliveryRow).values(**row))
    except IntegrityError:
        if not _is_stored(work, delivery.screening):
            raise Problem("not_found") from None
        raise Problem(
            "conflict", "It was put on its way there already: send that delivery again instead."
        ) from None
    return build_delivery_line(_load_row(work, delivery_id))


def find_delivery(work: Transaction, delivery_id: str) -> Delivery:
    """Return the delivery with all its attempts. Raises Problem `not_found`."""
    row = _load_row(work, delivery_id)
    return Delivery(
        **build_delivery_line(row).model_dump(), attempts=tuple(_load_attempts(work, row))
    )


def resend_delivery(work: Transaction, delivery_id: str) -> Delivery:
    """Queue a delivery again with fresh counters, under the same control id.

    Raises Problem `not_found`, or `conflict` if it is queued or in flight already or if the
    destination is inactive.
    """
    row = _load_row(work, delivery_id)
    if row.state in OPEN_STATES:
        raise Problem("conflict", "It waits to be sent already.")
    if not _is_active(work, row.destination_id):
        raise Problem("conflict", "The destination is not active.")
    _update_row(
        work, row, state="waiting", reason="", tries=0, errors=0, due_at=work.now, ended_at=None
    )
    work.session.execute(
        update(DestinationRow)
        .where(
            col(DestinationRow.organisation_id) == work.organisation,
            col(DestinationRow.id) == row.destination_id,
        )
        .values(lease_until=_WAKE_TIME)
    )
    return find_delivery(work, delivery_id)


def cancel_delivery(work: Transaction, delivery_id: str) -> Delivery:
    """Cancel a delivery; if an earlier attempt was accepted, mark it as delivered again.

    Raises Problem `not_found`, or `conflict` if it is in flight or delivered.
    """
    row = _load_row(work, delivery_id)
    if row.state in ("under_way", "delivered"):
        raise Problem("conflict", "It is under way, or has arrived already.")
    if any(attempt.outcome == "accepted" for attempt in _load_attempts(work, row)):
        _update_row(work, row, state="delivered", reason="", ended_at=work.now)
    elif row.state != "cancelled":
        _update_row(work, row, state="cancelled", reason="cancelled", ended_at=work.now)
    return find_delivery(work, delivery_id)


def enqueue_replacements(work: Transaction, earlier: str, later: str) -> None:
    """Enqueue a correction to every destination that its predecessor was sent to."""
    enqueued = []
    for row in _list_followed(work, earlier):
        event: DeliveryEvent = "replacement"
        if row.state == "waiting" and not _was_tried(work, row):
            _update_row(work, row, state="cancelled", reason="superseded", ended_at=work.now)
            event = cast("DeliveryEvent", row.event)
        elif row.state == "parked" and row.reason in _NEVER_ACCEPTED_REASONS:
            event = cast("DeliveryEvent", row.event)
        enqueued.append(
            enqueue_delivery(work, NewDelivery(row.destination_id, later, event, row.line))
        )
    _audit_enqueued(work, enqueued)


def enqueue_withdrawals(work: Transaction, screening: str, replaced_by: str | None) -> None:
    """Enqueue a withdrawal to every destination of a screening, except where a correction went."""
    corrected_ids = (
        {row.destination_id for row in _list_rows(work, replaced_by)} if replaced_by else set()
    )
    enqueued = []
    for row in _list_followed(work, screening):
        if row.destination_id in corrected_ids:
            continue
        if row.event == "result" and row.state == "waiting" and not _was_tried(work, row):
            _update_row(work, row, state="cancelled", reason="withdrawn", ended_at=work.now)
        elif not (row.state == "parked" and row.reason in _NEVER_ACCEPTED_REASONS):
            withdrawal = NewDelivery(row.destination_id, screening, "withdrawal", row.line)
            enqueued.append(enqueue_delivery(work, withdrawal))
    _audit_enqueued(work, enqueued)


def build_delivery_line(row: DeliveryRow) -> DeliveryListItem:
    """Convert a row to its schema, without attempts."""
    return DeliveryListItem(
        id=row.id,
        screening=row.screening_id,
        destination=row.destination_id,
        event=cast("DeliveryEvent", row.event),
        state=cast("DeliveryState", row.state),
        reason=row.reason,
        control_id=build_control_id(row.id),
        tries=row.tries,
        due_at=row.due_at if row.state in OPEN_STATES else None,
        created_at=row.created_at,
        created_by=row.actor,
        ended_at=row.ended_at,
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
        raise Problem("not_found")
    if not row.active:
        raise Problem("conflict", "The destination is not active.")
    return int(row.last_seq)


def _is_stored(work: Transaction, screening: str) -> bool:
    query = select(col(ScreeningRow.id)).where(
        col(ScreeningRow.organisation_id) == work.organisation, col(ScreeningRow.id) == screening
    )
    return work.session.execute(query).first() is not None


def _list_followed(work: Transaction, screening: str) -> list[DeliveryRow]:
    """Return the sent or queued deliveries to active destinations that want follow-ups."""
    rows = [
        row
        for row in _list_rows(work, screening)
        if row.event != "withdrawal" and (row.state != "cancelled" or _may_have_left(work, row))
    ]
    followers = set(
        work.session.execute(
            select(col(DestinationRow.id)).where(
                col(DestinationRow.organisation_id) == work.organisation,
                col(DestinationRow.id).in_([row.destination_id for row in rows]),
                col(DestinationRow.active),
                col(DestinationRow.follows),
            )
        ).scalars()
    )
    return sorted(
        (row for row in rows if row.destination_id in followers),
        key=lambda row: row.destination_id,  # one locking order, so that no deadlock occurs
    )


def _was_tried(work: Transaction, row: DeliveryRow) -> bool:
    """Return whether it was ever attempted; `tries` restarts when it is resent."""
    return any(_load_attempts(work, row))


def _may_have_left(work: Transaction, row: DeliveryRow) -> bool:
    """Return whether, by its attempts, any byte may have reached the receiver."""
    return any(
        attempt.outcome not in _NOTHING_SENT_OUTCOMES for attempt in _load_attempts(work, row)
    )


def _audit_enqueued(work: Transaction, deliveries: list[DeliveryListItem]) -> None:
    """Audit last: a transaction that locks the audit chain must not wait for a destination."""
    for delivery in deliveries:
        work.audit("deliver", "delivery", delivery.id, outcome="enqueued")


def _list_rows(work: Transaction, screening: str) -> list[DeliveryRow]:
    rows = work.session.execute(
        select(DeliveryRow)
        .where(
            col(DeliveryRow.organisation_id) == work.organisation,
            col(DeliveryRow.screening_id) == screening,
        )
        .order_by(col(DeliveryRow.seq))
    )
    return list(rows.scalars())


def _load_row(work: Transaction, delivery_id: str) -> DeliveryRow:
    row = work.session.execute(
        select(DeliveryRow).where(
            col(DeliveryRow.organisation_id) == work.organisation,
            col(DeliveryRow.id) == delivery_id,
        )
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    return row


def _is_active(work: Transaction, destination_id: str) -> bool:
    return bool(
        work.session.execute(
            select(col(DestinationRow.active)).where(
                col(DestinationRow.organisation_id) == work.organisation,
                col(DestinationRow.id) == destination_id,
            )
        ).scalar_one()
    )


def _update_row(work: Transaction, row: DeliveryRow, **values: Any) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    work.session.flush()


def _load_attempts(work: Transaction, delivery: DeliveryRow) -> Iterator[DeliveryAttempt]:
    rows = work.session.execute(
        select(AttemptRow)
        .where(
            col(AttemptRow.organisation_id) == work.organisation,
            col(AttemptRow.delivery_id) == delivery.id,
        )
        .order_by(col(AttemptRow.number))
    ).scalars()
    for row in rows:
        reply = None
        if row.reply is not None:
            reply = work.decrypt_field(row.key_id, "attempt", "reply", row.id, row.reply)
        yield DeliveryAttempt(
            number=row.number,
            begun_at=row.begun_at,
            ended_at=row.ended_at,
            outcome=row.outcome,
            code=row.code,
            reply=None if reply is None else reply.decode("utf-8", "replace"),
        )
