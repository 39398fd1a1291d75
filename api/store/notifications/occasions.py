"""The occasions for a notification: a new link, answers that arrive, a red flag not yet dealt with.

Whether the occasion still exists is asked again right before each message is sent.
"""

from datetime import datetime, timedelta
from typing import cast

from sqlmodel import col

from api.store.accounts import letterheads, practitioners
from api.store.database.tables import (
    DraftAcknowledgementRow,
    DraftRow,
    LinkRow,
    NotificationRow,
    ScreeningRow,
)
from api.store.forms import drafts, form_settings, links
from api.store.notifications import outbox
from api.store.notifications.outbox import NewNotification
from api.store.screenings import conditions
from api.store.transaction import Transaction
from schemas.notification import Medium, NotificationContent, NotificationKind, Recipient
from schemas.organisations.organisation import Practitioner
from schemas.patients.links import Link
from schemas.patients.patient import KnownPatient
from schemas.patients.screening import Screening

ARRIVAL_VALIDITY = timedelta(days=1)
"""After which time a message that answers arrived is no longer worth sending."""


def invite_patient(
    work: Transaction, link: Link, recipient: Recipient, url: str, reminder_days: int | None = None
) -> None:
    """Queue the invitation with the URL of a new link, and the reminder without it.

    `reminder_days` is the organisation's setting unless given; 0 means no reminder.
    """
    content = NotificationContent(
        language=link.language or _find_language(work), address=recipient.address
    )
    with_url = content.model_copy(update={"url": url})
    outbox.enqueue_notification(
        work, NewNotification("invitation", with_url, recipient.medium, link.id)
    )
    if reminder_days is None:
        reminder_days = form_settings.load_form_settings(work).reminder_days
    due_at = work.now + timedelta(days=reminder_days)
    if reminder_days and due_at < link.expires_at:
        reminder = NewNotification("reminder", content, recipient.medium, link.id, due_at=due_at)
        outbox.enqueue_notification(work, reminder)


def announce_screening(
    work: Transaction, screening: Screening, *, is_urgent: bool, link: str | None = None
) -> None:
    """Queue alerts for an urgent screening; for other answers to a link, that they have arrived."""
    recipients = list_alerted_practitioners(work)
    kind: NotificationKind = "alert" if is_urgent else "arrival"
    if not is_urgent:
        if link is None:
            return
        maker = work.load_row(LinkRow, link).actor
        recipients = [it for it in recipients if it.id == maker] or recipients
    notification = NewNotification(kind, screening=screening.id)
    _enqueue(work, notification, screening.patient, recipients)


def announce_draft(work: Transaction, link: str) -> None:
    """Queue alerts for an urgent draft of a link, unless they are queued already."""
    is_open = (
        col(NotificationRow.link_id) == link,
        col(NotificationRow.kind) == "alert",
        col(NotificationRow.state).in_(("waiting", "parked")),
    )
    query = work.select(NotificationRow.practitioner_id).where(*is_open)
    queued_ids = set(work.list_rows(query))
    missing = [it for it in list_alerted_practitioners(work) if it.id not in queued_ids]
    if not missing:
        return
    patient = links.decrypt_patient(work, work.load_row(LinkRow, link))
    _enqueue(work, NewNotification("alert", link=link), patient, missing)


def is_dealt_with(work: Transaction, alert: NotificationRow) -> bool:
    """Return whether the red flags that an alert is about need no more alert.

    They do not once all were acknowledged, or once the screening or the draft is superseded.
    """
    if alert.screening_id is not None:
        is_open = (
            col(ScreeningRow.id) == alert.screening_id,
            conditions.IS_IN_FORCE,
            ~conditions.IS_ACKNOWLEDGED,
        )
        return not work.count(ScreeningRow, *is_open)
    is_calm = work.match_hash(DraftRow.tier_index, drafts.NO_TIER)
    acknowledged_since = (
        col(DraftAcknowledgementRow.link_id) == alert.link_id,
        col(DraftAcknowledgementRow.at) >= alert.created_at,
    )
    return bool(
        not work.count(DraftRow, col(DraftRow.link_id) == alert.link_id, ~is_calm)
        or work.count(DraftAcknowledgementRow, *acknowledged_since)
    )


def has_occasion(work: Transaction, row: NotificationRow, now: datetime) -> bool:
    """Return whether there is still reason to send this notification."""
    match row.kind:
        case "invitation":
            return _is_link_open(work, row.link_id, now)
        case "reminder":
            return _is_link_open(work, row.link_id, now) and _was_invited(work, row.link_id)
        case "arrival":
            return now - row.created_at < ARRIVAL_VALIDITY
        case _:
            return not is_dealt_with(work, row)


def list_alerted_practitioners(work: Transaction) -> list[Practitioner]:
    """Return the active practitioners with an e-mail address who get alerts."""
    people = practitioners.list_practitioners(work)
    return [person for person in people if person.active and person.email and person.gets_alerts]


def find_address(work: Transaction, row: NotificationRow) -> str | None:
    """Return the address to send to; None if the practitioner no longer gets alerts."""
    if row.practitioner_id is None:
        return outbox.decrypt_content(work, row).address
    emails = {person.id: person.email for person in list_alerted_practitioners(work)}
    return emails.get(row.practitioner_id)


def find_invitation(work: Transaction, link: str | None) -> NotificationRow | None:
    """Return the invitation to a link, or None if it was handed over in another way."""
    is_invitation = col(NotificationRow.link_id) == link, col(NotificationRow.kind) == "invitation"
    return work.find(NotificationRow, *is_invitation)


def find_recipient(work: Transaction, link: str) -> Recipient | None:
    """Return where the invitation to a link was sent, or None if there was none."""
    row = find_invitation(work, link)
    address = None if row is None else outbox.decrypt_content(work, row).address
    if row is None or address is None:
        return None
    return Recipient(medium=cast("Medium", row.medium), address=address)


def _is_link_open(work: Transaction, link: str | None, now: datetime) -> bool:
    row = work.find(LinkRow, col(LinkRow.id) == link)
    return row is not None and links.derive_state(row, None, now) == "new"


def _was_invited(work: Transaction, link: str | None) -> bool:
    invitation = find_invitation(work, link)
    return invitation is not None and invitation.state == "sent"


def _find_language(work: Transaction) -> str:
    return letterheads.find_letterhead(work.session, work.organisation).language


def _enqueue(
    work: Transaction,
    notification: NewNotification,
    patient: KnownPatient,
    recipients: list[Practitioner],
) -> None:
    """Queue the same notification about a patient for each recipient."""
    shows_initial = form_settings.load_form_settings(work).initial_in_mail
    initial = patient.name[0].upper() if shows_initial and patient.name else None
    content = NotificationContent(language=_find_language(work), initial=initial)
    for practitioner in recipients:
        outbox.enqueue_notification(
            work, notification._replace(content=content, practitioner=practitioner.id)
        )
