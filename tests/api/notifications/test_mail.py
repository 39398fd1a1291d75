"""E-mail: the dialogue with a real mail server, plain and encrypted, and what it refuses."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from support.interop.loopback_servers import drip_after, issue_server_certificate, running_server
from support.servers.mail_server import Login, running_mail_server

from api.notifications.mail import MailEnvelope, build_mail_transport, send_as_mail
from api.notifications.texts import MessageText
from api.settings import Settings

LOGIN = Login(b"desk", b"correct horse")
TEXT = MessageText(subject="Grüße", body=f"https://nociscreen.example/intake/{'x' * 43}\n")
ENVELOPE = MailEnvelope(
    "n-1", "Praxis für Müde, GmbH", "to@example.org", datetime(2026, 11, 30, tzinfo=UTC)
)


def build_transport(port, **more):
    server = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_sender": "desk@clinic.example"}
    return build_mail_transport(Settings(**(server | {"delivery_seconds": 2.0} | more)))


@pytest.fixture
def certificate(tmp_path):
    """A TLS context and the settings that trust its certificate."""
    context, authority = issue_server_certificate(tmp_path)
    file = tmp_path / "authority.pem"
    file.write_text(authority)
    return context, {"smtp_ca_file": file}


def test_arrives_as_it_was_written():
    with running_mail_server() as server:
        transport = build_transport(server.port, smtp_tls="none")
        assert send_as_mail(TEXT, ENVELOPE, transport).disposition == "delivered"
    (message,) = server.messages
    assert message["subject"] == TEXT.subject
    assert message.get_content().splitlines() == TEXT.body.splitlines()
    assert message["from"].addresses[0].display_name == ENVELOPE.organisation
    assert message["message-id"] == "<n-1@clinic.example>"
    assert server.envelopes[0].mail_from == "desk@clinic.example"


@pytest.mark.parametrize("tls", ["starttls", "tls"])
class TestAnEncryptedServer:
    def test_gets_the_login_and_the_message(self, certificate, tls):
        context, trust = certificate
        login = {"smtp_user": "desk", "smtp_password": "correct horse"}
        with running_mail_server(context, tls, LOGIN) as server:
            transport = build_transport(server.port, smtp_tls=tls, **trust, **login)
            result = send_as_mail(TEXT, ENVELOPE, transport)
        assert (result.disposition, server.logged_in) == ("delivered", [True])

    def test_that_refuses_the_login_is_tried_again_later(self, certificate, tls):
        context, trust = certificate
        login = {"smtp_user": "desk", "smtp_password": "wrong"}
        with running_mail_server(context, tls, LOGIN) as server:
            transport = build_transport(server.port, smtp_tls=tls, **trust, **login)
            result = send_as_mail(TEXT, ENVELOPE, transport)
        assert result[:3] == ("transient_failure", "login_failed", "535")

    def test_with_an_unknown_certificate_gets_nothing(self, certificate, tls):
        with running_mail_server(certificate[0], tls) as server:
            result = send_as_mail(TEXT, ENVELOPE, build_transport(server.port, smtp_tls=tls))
        assert (result.outcome, server.messages) == ("tls_failed", [])


def test_a_server_without_starttls_gets_nothing():
    with running_mail_server() as server:
        result = send_as_mail(TEXT, ENVELOPE, build_transport(server.port))
    assert (result.outcome, server.messages) == ("tls_failed", [])


@pytest.mark.parametrize(
    ("greeting", "outcome"),
    [(b"220 ", "timeout"), (b"554 go away\r\n", "bounced"), (b"421 busy\r\n", "error")],
)
def test_a_server_that_says_nothing_useful_is_left_in_time(greeting, outcome):
    with running_server(drip_after(greeting)) as host_port:
        transport = build_transport(host_port.port, smtp_tls="none", delivery_seconds=0.5)
        assert send_as_mail(TEXT, ENVELOPE, transport).outcome == outcome


@pytest.mark.parametrize(
    "settings",
    [
        {"smtp_host": "mail.example"},
        {"smtp_host": "mail.example", "smtp_sender": "a@b.example", "smtp_tls": "none",
         "smtp_user": "desk"},
        {"smtp_sender": "a@b.example\r\nBcc: c@d.example"},
    ],
)  # fmt: skip
def test_settings_that_cannot_work_or_would_reveal_the_password_are_refused(settings):
    with pytest.raises(ValidationError):
        Settings(**settings)


def test_without_a_mail_server_there_is_no_transport():
    assert build_mail_transport(Settings()) is None
