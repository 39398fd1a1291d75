"""Sends due notifications and decides when each is sent again: after an error, or as an alert.

An alert is repeated until its red flags are acknowledged. Errors are retried with the delays of
deliveries; a bounce is parked for a person to decide on.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, get_args

import structlog

from api.deliveries.attempt_result import AttemptResult
from api.deliveries.sender import POLL_INTERVAL_SECONDS, compute_retry_delay
from api.notifications.mail import MailEnvelope, build_mail_transport, send_as_mail
from api.notifications.sms import build_sms_transport, send_as_sms
from api.notifications.texts import MessageText, compose_text
from api.outbound.circuit_breaker import CircuitBreaker, HostAttempt, HostUnavailableError
from api.settings import Settings
from api.store.accounts import organisations
from api.store.errors import StoreError
from api.store.notifications import occasions, outbox
from api.store.notifications.outbox import DueNotification, SendResult
from api.store.store import Store
from api.store.transaction import Actor, Transaction
from schemas.notification import Medium, NotificationKind

Clock = Callable[[], datetime]
NOT_CONFIGURED = "not_configured"
_log = structlog.get_logger("nociscreen")


class ClaimedMessage(NamedTuple):
    """A claimed notification, ready to be sent."""

    kind: NotificationKind
    medium: Medium
    tries: int
    errors: int
    text: MessageText
    envelope: MailEnvelope


class NotificationSender:
    """Sends notifications of every organisation. Several processes may run one each.

    Raises OSError or ValueError for a file of the settings that can't be read.
    """

    def __init__(
        self, store: Store, settings: Settings, clock: Clock = lambda: datetime.now(UTC)
    ) -> None:
        self._store, self._settings, self._clock = store, settings, clock
        self._mail = build_mail_transport(settings)
        self._sms = build_sms_transport(settings)

    @property
    def is_configured(self) -> bool:
        """Whether there is any way to send."""
        return self._mail is not None or self._sms is not None

    def send_all(
        self,
        stopping: threading.Event | None = None,
        mediums: Collection[Medium] = get_args(Medium),
        host: HostAttempt | None = None,
    ) -> int:
        """Send what is due now by these mediums; return the number of attempts.

        With a `host` the first attempt without a response is its failure, and the last attempt.
        """
        with self._store.read_all_organisations() as session:
            due = outbox.list_due_notifications(session, self._clock(), mediums)
        attempts = 0
        for notification in due:
            if (stopping and stopping.is_set()) or (host and host.has_failed):
                break
            try:
                attempt = self._send(notification)
            except Exception as error:  # noqa: BLE001 - one failure must not stop the others
                _log.warning("notification", error=type(error).__name__)
                continue
            attempts += attempt is not None
            if host is not None and attempt is not None and attempt.disposition == "no_response":
                host.fail()
        return attempts

    def _send(self, due: DueNotification) -> AttemptResult | None:
        """Make one attempt; return its result, or None if there is nothing to send."""
        message = self._claim(due)
        if message is None:
            return None
        attempt = self._transmit(message)
        result = self._schedule(message, attempt)
        with self._store.transaction(self._build_actor(due)) as work:
            outbox.record_result(work, due.id, result, self._clock())
            work.audit("deliver", "notification", due.id, outcome=attempt.outcome)
        if not result.is_sent and result.due_at is None:
            _log.warning("notification parked", notification=due.id, outcome=attempt.outcome)
        return attempt

    def _claim(self, due: DueNotification) -> ClaimedMessage | None:
        """Return the message, or None if another process has it or its occasion has passed."""
        now = self._clock()
        with self._store.transaction(self._build_actor(due)) as work:
            lease_seconds = self._settings.delivery_lease_seconds
            row = outbox.claim_notification(work, due.id, now, lease_seconds)
            if row is None:
                work.audit("deliver", "notification", due.id, outcome="nothing_due")
                return None
            address = occasions.find_address(work, row)
            if address is None or not occasions.has_occasion(work, row, now):
                outbox.cancel_notification(work, row, "no_longer_needed")
                work.audit("deliver", "notification", due.id, outcome="no_longer_needed")
                return None
            message = self._compose(work, row, address)
            work.audit("deliver", "notification", due.id, outcome="taken")
        return message

    def _compose(self, work: Transaction, row: Any, address: str) -> ClaimedMessage:
        """Compose the message; a reminder joins the thread of its invitation."""
        organisation = organisations.find_own_organisation(work).name
        content = outbox.decrypt_content(work, row)
        text = compose_text(row.kind, content, organisation, f"{self._settings.public_url}/desk")
        invitation = None
        if row.kind == "reminder":
            invitation = occasions.find_invitation(work, row.link_id)
        thread_id = None if invitation is None else invitation.id
        envelope = MailEnvelope(row.id, organisation, address, self._clock(), thread_id)
        return ClaimedMessage(row.kind, row.medium, row.tries, row.errors, text, envelope)

    def _transmit(self, message: ClaimedMessage) -> AttemptResult:
        if message.medium == "email" and self._mail is not None:
            return send_as_mail(message.text, message.envelope, self._mail)
        if message.medium == "sms" and self._sms is not None and message.text.sms is not None:
            return send_as_sms(message.text.sms, message.envelope.address, self._sms)
        return AttemptResult("permanent_failure", NOT_CONFIGURED)

    def _schedule(self, message: ClaimedMessage, attempt: AttemptResult) -> SendResult:
        """Decide whether and when the notification is sent again."""
        result = SendResult(attempt.outcome, attempt.receiver_code)
        if attempt.disposition == "delivered":
            repeat = timedelta(minutes=self._settings.alert_repeat_minutes)
            due_at = self._clock() + repeat if message.kind == "alert" else None
            return result._replace(is_sent=True, due_at=due_at)
        is_error = attempt.disposition == "transient_failure"
        result = result._replace(is_error=is_error)
        may_retry = (
            attempt.disposition != "permanent_failure"
            and message.tries < self._settings.delivery_attempts
            and message.errors + is_error < self._settings.delivery_error_attempts
        )
        if not may_retry:
            return result
        wait = max(compute_retry_delay(message.tries), attempt.retry_after_seconds)
        return result._replace(due_at=self._clock() + timedelta(seconds=wait))

    def _build_actor(self, due: DueNotification) -> Actor:
        service = organisations.SERVICE_ACTOR
        return Actor(due.organisation, service.id, service.means)


@contextmanager
def running_notification_sender(sender: NotificationSender) -> Iterator[None]:
    """Send in a background thread for each medium until the block ends, if there is any way.

    A server that gave no response rests, and the messages by the other medium go on.
    """
    if not sender.is_configured:
        yield
        return
    stopping, servers = threading.Event(), CircuitBreaker()

    def poll(medium: Medium) -> None:
        while not stopping.wait(POLL_INTERVAL_SECONDS):
            try:
                with suppress(HostUnavailableError), servers.enter(medium) as server:
                    sender.send_all(stopping, (medium,), server)
            except StoreError as error:
                _log.warning("notification", error=type(error).__name__)

    pollers = [
        threading.Thread(target=poll, args=(medium,), name=f"notifications {medium}", daemon=True)
        for medium in get_args(Medium)
    ]
    for poller in pollers:
        poller.start()
    try:
        yield
    finally:
        stopping.set()
        for poller in pollers:
            poller.join(timeout=30)
