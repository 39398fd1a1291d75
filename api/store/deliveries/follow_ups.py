"""Follow-up deliveries: corrections and withdrawals to every destination of a screening."""

from typing import cast

from sqlmodel import col

from api.store.database.tables import DeliveryRow, DestinationRow
from api.store.deliveries import outbox
from api.store.deliveries.outbox import NewDelivery
from api.store.transaction import Transaction
from schemas.organisations.delivery import DeliveryEvent, DeliveryListItem

_NEVER_ACCEPTED_REASONS = ("refused", "incompatible_with_destination")
_NOTHING_SENT_OUTCOMES = ("unreachable", "unresolvable", "not_allowed", "tls_failed")
"""Attempt outcomes in which the receiver got no byte of the message."""


def enqueue_replacements(work: Transaction, earlier: str, later: str) -> None:
    """Enqueue a correction to every destination that its predecessor was sent to."""
    enqueued = []
    for row in _list_followed(work, earlier):
        event: DeliveryEvent = "replacement"
        if row.state == "waiting" and not _was_tried(work, row):
            outbox.update_row(work, row, state="cancelled", reason="superseded", ended_at=work.now)
            event = cast("DeliveryEvent", row.event)
        elif row.state == "parked" and row.reason in _NEVER_ACCEPTED_REASONS:
            event = cast("DeliveryEvent", row.event)
        replacement = NewDelivery(row.destination_id, later, event, row.line)
        enqueued.append(outbox.enqueue_delivery(work, replacement))
    _audit_enqueued(work, enqueued)


def enqueue_withdrawals(work: Transaction, screening: str, replaced_by: str | None) -> None:
    """Enqueue a withdrawal to every destination of a screening, except where a correction went."""
    corrections = outbox.list_delivery_rows(work, replaced_by) if replaced_by else []
    corrected_ids = {row.destination_id for row in corrections}
    enqueued = []
    for row in _list_followed(work, screening):
        if row.destination_id in corrected_ids:
            continue
        if row.event == "result" and row.state == "waiting" and not _was_tried(work, row):
            outbox.update_row(work, row, state="cancelled", reason="withdrawn", ended_at=work.now)
        elif not (row.state == "parked" and row.reason in _NEVER_ACCEPTED_REASONS):
            withdrawal = NewDelivery(row.destination_id, screening, "withdrawal", row.line)
            enqueued.append(outbox.enqueue_delivery(work, withdrawal))
    _audit_enqueued(work, enqueued)


def _list_followed(work: Transaction, screening: str) -> list[DeliveryRow]:
    """Return the sent or queued deliveries to active destinations that want follow-ups."""
    rows = [
        row
        for row in outbox.list_delivery_rows(work, screening)
        if row.event != "withdrawal" and (row.state != "cancelled" or _may_have_left(work, row))
    ]
    query = work.select(DestinationRow.id).where(
        col(DestinationRow.id).in_([row.destination_id for row in rows]),
        col(DestinationRow.active),
        col(DestinationRow.follows),
    )
    followers = set(work.list_rows(query))
    return sorted(
        (row for row in rows if row.destination_id in followers),
        key=lambda row: row.destination_id,  # one locking order, so that no deadlock occurs
    )


def _was_tried(work: Transaction, row: DeliveryRow) -> bool:
    """Return whether it was ever attempted; `tries` restarts when it is resent."""
    return any(outbox.load_attempts(work, row))


def _may_have_left(work: Transaction, row: DeliveryRow) -> bool:
    """Return whether, by its attempts, any byte may have reached the receiver."""
    attempts = outbox.load_attempts(work, row)
    return any(attempt.outcome not in _NOTHING_SENT_OUTCOMES for attempt in attempts)


def _audit_enqueued(work: Transaction, deliveries: list[DeliveryListItem]) -> None:
    """Audit last: a transaction that locks the audit chain must not wait for a destination."""
    for delivery in deliveries:
        work.audit("deliver", "delivery", delivery.id, outcome="enqueued")
