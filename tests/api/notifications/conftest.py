"""A store, a clinic with a practitioner who gets alerts, a mail server and a stopped clock."""

from datetime import UTC, datetime, timedelta

import pytest
from support import builders
from support.builders import do
from support.servers.mail_server import running_mail_server

from api.notifications.sender import NotificationSender
from api.store.accounts import practitioners
from api.store.operations.startup import open_store

ADDRESS = "grace@example.org"


class StoppedClock:
    """A clock that moves only when told to; it starts after everything that the test stores."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(minutes=1)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@pytest.fixture
def clock():
    return StoppedClock()


@pytest.fixture
def settings(tmp_path):
    limits = {"smtp_host": "127.0.0.1", "smtp_tls": "none", "smtp_sender": "desk@clinic.example"}
    return builders.copy_empty_store(tmp_path).model_copy(
        update=limits | {"public_url": "https://nociscreen.example", "delivery_seconds": 5.0}
    )


@pytest.fixture
def store(settings):
    own_store = open_store(settings)
    yield own_store
    own_store.close()


@pytest.fixture
def clinic(store):
    return builders.clinic(store, "Harbour Clinic")


@pytest.fixture
def grace(store, clinic):
    """A practitioner who gets alerts."""
    return do(
        store, clinic, practitioners.add_practitioner, "ref-1", "Dr Grace Example", (), ADDRESS
    )


@pytest.fixture
def mail_server():
    with running_mail_server() as server:
        yield server


@pytest.fixture
def sender(store, settings, clock, mail_server):
    settings = settings.model_copy(update={"smtp_port": mail_server.port})
    return NotificationSender(store, settings, clock)
