"""List the e-mails and SMS that were refused or could not be sent, in words for the desk."""

from typing import NamedTuple

from api.desk.screening_rows import DisplayFormatter
from api.store.notifications import outbox
from api.store.transaction import Transaction

_REASONS_WITH_TEXT = ("bounced", "refused", "login_failed", "not_configured")


class FailedMessage(NamedTuple):
    """A failed message: the phrases of its kind and reason, its recipient, and when it failed."""

    id: str
    kind_phrase: str
    recipient: str
    reason_phrase: str
    code: str
    failed_at: str


def list_failed_messages(
    work: Transaction, formatter: DisplayFormatter
) -> tuple[FailedMessage, ...]:
    """Return the failed messages, newest first."""
    return tuple(
        FailedMessage(
            failed.id,
            f"desk_message_{failed.kind}",
            failed.to,
            _choose_reason_phrase(failed.reason),
            failed.code,
            formatter.format_moment(failed.failed_at),
        )
        for failed in outbox.list_failed_notifications(work)
    )


def _choose_reason_phrase(reason: str) -> str:
    word = reason if reason in _REASONS_WITH_TEXT else "unreachable"
    return f"desk_message_reason_{word}"
