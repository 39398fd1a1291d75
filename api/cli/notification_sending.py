"""Runs the sender of notifications as long as a command of the service runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.cli.context import fail, refuse_invalid_input

if TYPE_CHECKING:
    from api.settings import Settings
    from api.store.store import Store


@contextmanager
def running_notifications(store: "Store", settings: "Settings") -> Iterator[None]:
    """Send notifications until the block ends; exit 2 for a file that can't be used."""
    from api.notifications.sender import NotificationSender, running_notification_sender

    if not settings.delivery_enabled:
        yield
        return
    try:
        with refuse_invalid_input():
            sender = NotificationSender(store, settings)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    with running_notification_sender(sender):
        yield
