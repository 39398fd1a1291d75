"""The outbox of notifications: each is claimed by one process, sent, and its outcome recorded.

A claim moves `due_at` past the time that sending may take. If the process dies, the notification
becomes due again by itself, so a message may arrive twice but is never lost.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple, cast, get_args
from uuid import uuid4

from sqlalchemy import case, select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.accounts import practitioners
from api.store.database.tables import NotificationRow, OrganisationRow
from api.store.errors import ConflictError
from api.store.transaction import Transaction
from schemas.notification import (
    FailedNotification,
    Medium,
    NotificationContent,
    NotificationKind,
    StoredNotification,
)

MAX_DUE = 20
MAX_FAILED = 100


class NewNotification(NamedTuple):
    """A notification to be queued, about a link or a screening."""

    kind: NotificationKind
    content: NotificationContent = NotificationContent(language="en")
    medium: Medium = "email"
    link: str | None = None
    screening: str | None = None
    practitioner: str | None = None
    due_at: datetime | None = None


class DueNotification(NamedTuple):
    """A notification that is due, and its organisation."""

    organisation: str
    id: str


class SendResult(NamedTuple):
    """How sending ended. `due_at` is when to send again: after an error, or to repeat an alert."""

    outcome: str
    code: str = ""
    is_sent: bool = False
    is_error: bool = False
    due_at: datetime | None = None


def enqueue_notification(work: Transaction, notification: NewNotification) -> str:
    """Queue a notification and return its id."""
    notification_id = str(uuid4())
    row = {
        "id": notification_id,
        "kind": notification.kind,
        "medium": notification.medium,
        "link_id": notification.link,
        "screening_id": notification.screening,
        "practitioner_id": notification.practitioner,
        "state": "waiting",
        "reason": "",
        "code": "",
        "tries": 0,
        "errors": 0,
        "due_at": notification.due_at or work.now,
        "created_at": work.now,
        "changed_at": work.now,
    }
    content = notification.content.model_dump_json(exclude_none=True).encode()
    work.insert(NotificationRow, row, content=content)
    return notification_id


def list_due_notifications(
    session: Session, now: datetime, mediums: Collection[Medium] = get_args(Medium)
) -> list[DueNotification]:
    """Return some of the notifications due by these mediums in any organisation, alerts first."""
    rows = session.execute(
        select(col(NotificationRow.organisation_id), col(NotificationRow.id))
        .join(OrganisationRow, col(OrganisationRow.id) == col(NotificationRow.organisation_id))
        .where(
            col(NotificationRow.state) == "waiting",
            col(NotificationRow.medium).in_(mediums),
            col(NotificationRow.due_at) <= now,
            col(OrganisationRow.active),
        )
        .order_by(
            case((col(NotificationRow.kind) == "alert", 0), else_=1), col(NotificationRow.due_at)
        )
        .limit(MAX_DUE)
    )
    return [DueNotification(*row) for row in rows]


def claim_notification(
    work: Transaction, notification_id: str, now: datetime, lease_seconds: float
) -> NotificationRow | None:
    """Return the notification for this process to send; None if another process was faster."""
    values = {
        "due_at": now + timedelta(seconds=lease_seconds),
        "tries": col(NotificationRow.tries) + 1,
    }
    is_due = (
        col(NotificationRow.id) == notification_id,
        col(NotificationRow.state) == "waiting",
        col(NotificationRow.due_at) <= now,
    )
    if not work.update(NotificationRow, values, *is_due):
        return None
    return work.load_row(NotificationRow, notification_id)


def record_result(
    work: Transaction, notification_id: str, result: SendResult, now: datetime
) -> None:
    """Record how sending ended: to be sent again, sent for good, or parked for a person."""
    row = work.load_row(NotificationRow, notification_id)
    row.reason, row.code, row.changed_at = result.outcome, result.code[:80], now
    if result.due_at is not None:
        row.due_at = result.due_at
    else:
        row.state = "sent" if result.is_sent else "parked"
    if result.is_sent:
        row.tries = row.errors = 0
        row.reason = row.code = ""
        _erase_url(work, row)
    row.errors += result.is_error
    work.session.flush()


def cancel_notification(work: Transaction, row: NotificationRow, reason: str) -> None:
    """Take a notification out of the queue and erase the URL in it."""
    row.state, row.reason, row.changed_at = "cancelled", reason, work.now
    _erase_url(work, row)
    work.session.flush()


def list_failed_notifications(work: Transaction) -> tuple[FailedNotification, ...]:
    """Return the newest notifications that were refused or could not be sent."""
    query = work.select(NotificationRow).where(col(NotificationRow.state) == "parked")
    query = query.order_by(col(NotificationRow.changed_at).desc()).limit(MAX_FAILED)
    rows = work.list_rows(query)
    names = {person.id: person.name for person in practitioners.list_practitioners(work)}
    return tuple(_build_failed(work, row, names) for row in rows)


def retry_notification(work: Transaction, notification_id: str) -> None:
    """Queue a failed notification again. Raises NotFoundError and ConflictError."""
    row = _load_parked(work, notification_id)
    row.state, row.tries, row.errors, row.due_at = "waiting", 0, 0, work.now
    work.session.flush()


def dismiss_notification(work: Transaction, notification_id: str) -> None:
    """Dismiss a failed notification. Raises NotFoundError and ConflictError."""
    cancel_notification(work, _load_parked(work, notification_id), "dismissed")


def list_exported_notifications(
    work: Transaction, link_ids: Iterable[str], screening_ids: Iterable[str]
) -> tuple[StoredNotification, ...]:
    """Return the notifications about these links and screenings, oldest first."""
    links, screenings = col(NotificationRow.link_id), col(NotificationRow.screening_id)
    is_about = links.in_(list(link_ids)) | screenings.in_(list(screening_ids))
    query = work.select(NotificationRow).where(is_about)
    rows = work.list_rows(query.order_by(col(NotificationRow.created_at), NotificationRow.id))
    return tuple(
        StoredNotification(
            **row.model_dump(include=set(StoredNotification.model_fields) - {"address"}),
            address=decrypt_content(work, row).address,
        )
        for row in rows
    )


def decrypt_content(work: Transaction, row: NotificationRow) -> NotificationContent:
    """Decrypt what the notification needs to be sent."""
    return NotificationContent.model_validate_json(work.decrypt_column(row, "content"))


def _load_parked(work: Transaction, notification_id: str) -> NotificationRow:
    row = work.load_row(NotificationRow, notification_id, lock=True)
    if row.state != "parked":
        raise ConflictError("The message is no longer among the failed ones.")
    return row


def _erase_url(work: Transaction, row: NotificationRow) -> None:
    content = decrypt_content(work, row)
    if content.url is not None:
        without_url = content.model_copy(update={"url": None})
        plaintext = without_url.model_dump_json(exclude_none=True).encode()
        work.encrypt_row(row, {"content": plaintext}, {})


def _build_failed(
    work: Transaction, row: NotificationRow, names: dict[str, str]
) -> FailedNotification:
    address = decrypt_content(work, row).address
    return FailedNotification(
        id=row.id,
        kind=cast("NotificationKind", row.kind),
        medium=cast("Medium", row.medium),
        to=address or names.get(row.practitioner_id or "", ""),
        reason=row.reason,
        code=row.code,
        failed_at=row.changed_at,
    )
