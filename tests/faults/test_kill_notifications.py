"""Kill -9 while a message is being sent: it is sent again by the next process, never lost."""

import time

from support import builders
from support.builders import do
from support.servers.mail_server import running_mail_server
from support.servers.processes import serving

from api.store.accounts import practitioners
from api.store.notifications import occasions, outbox
from api.store.operations.startup import open_store

ADDRESS = "grace@example.org"


def list_failed(settings, clinic):
    store = open_store(settings)
    failed = do(store, clinic, outbox.list_failed_notifications)
    store.close()
    return failed


def test_a_message_that_was_under_way_is_sent_by_the_next_process(tmp_path):
    settings = builders.copy_empty_store(tmp_path)
    store = open_store(settings)
    clinic = builders.clinic(store)
    do(store, clinic, practitioners.add_practitioner, "ref-1", "Dr Grace Example", (), ADDRESS)
    screening = builders.add(store, clinic, example="red_flag")
    do(store, clinic, occasions.announce_screening, screening, is_urgent=True)
    store.close()
    with running_mail_server() as mail_server:
        mail_server.is_silent = True
        mail_settings = {
            "NOCISCREEN_SMTP_HOST": "127.0.0.1",
            "NOCISCREEN_SMTP_PORT": str(mail_server.port),
            "NOCISCREEN_SMTP_TLS": "none",
            "NOCISCREEN_SMTP_SENDER": "desk@clinic.example",
            "NOCISCREEN_DELIVERY_LEASE_SECONDS": "1",
        }
        with serving(settings, **mail_settings) as service:
            while not mail_server.arrivals:
                time.sleep(0.01)
            service.process.kill()
            service.process.wait()
        mail_server.is_silent = False
        with serving(settings, **mail_settings):
            while not mail_server.messages:
                time.sleep(0.01)
    assert [envelope.rcpt_tos for envelope in mail_server.envelopes] == [[ADDRESS]]
    assert list_failed(settings, clinic) == ()
