"""An SMTP client for one mail server, with a deadline for the whole dialogue."""

import smtplib
from contextlib import closing, suppress
from typing import Literal, NamedTuple

from api.outbound.allowlist import HostPort, TargetUrl
from api.outbound.connection import (
    ConnectionPolicy,
    DeadlineSocket,
    TlsCredentials,
    open_connection,
    start_tls,
)
from api.outbound.errors import MailRefusedError, OutboundError

_NOT_IMPLEMENTED = 502
TlsMode = Literal["none", "starttls", "tls"]


class SmtpServer(NamedTuple):
    """A mail server, and how to log in to it; without a user there is no login."""

    host_port: HostPort
    tls: TlsMode
    user: str = ""
    password: str = ""


class OutboundMail(NamedTuple):
    """An encoded message and its envelope."""

    sender: str
    recipient: str
    content: bytes


def send_mail(mail: OutboundMail, server: SmtpServer, policy: ConnectionPolicy) -> None:
    """Send one message. Raises OutboundError, and MailRefusedError if the server refused it."""
    _hold_dialogue(mail.sender, mail, server, policy)


def check_login(sender: str, server: SmtpServer, policy: ConnectionPolicy) -> None:
    """Connect, encrypt and log in as `send_mail` does, and send nothing. Raises the same."""
    _hold_dialogue(sender, None, server, policy)


def _hold_dialogue(
    sender: str, mail: OutboundMail | None, server: SmtpServer, policy: ConnectionPolicy
) -> None:
    scheme = "smtps" if server.tls == "tls" else "smtp"
    target = TargetUrl(scheme, server.host_port, "/")
    with open_connection(target, policy) as connection, connection.translate_errors():
        client = _ConnectedSmtp(connection, sender.rpartition("@")[2])
        with closing(client):
            _talk(client, mail, server, policy.tls_credentials)


def _talk(
    client: "_ConnectedSmtp",
    mail: OutboundMail | None,
    server: SmtpServer,
    credentials: TlsCredentials,
) -> None:
    try:
        client.read_greeting()
        if server.tls == "starttls":
            client.start_encryption(server.host_port, credentials)
        if server.user:
            client.log_in(server)
        client.ehlo_or_helo_if_needed()
        if mail is not None:
            client.sendmail(mail.sender, [mail.recipient], mail.content)
    except smtplib.SMTPRecipientsRefused as error:
        raise MailRefusedError(next(iter(error.recipients.values()))[0]) from None
    except smtplib.SMTPResponseException as error:
        if client.is_past_deadline:  # half a reply is not a refusal
            raise OutboundError("timeout") from None
        raise MailRefusedError(error.smtp_code) from None
    except smtplib.SMTPException:  # the server closed the connection, or its replies make no sense
        raise OutboundError("timeout" if client.is_past_deadline else "connection_lost") from None
    with suppress(OSError):  # the message is accepted already
        client.quit()


class _ConnectedSmtp(smtplib.SMTP):
    """SMTP over an open connection; `name` is how the client introduces itself."""

    def __init__(self, connection: DeadlineSocket, name: str) -> None:
        super().__init__(local_hostname=name)
        self._connection = connection
        self.sock = connection.socket

    @property
    def is_past_deadline(self) -> bool:
        """True if the deadline passed."""
        return self._connection.is_past_deadline

    def read_greeting(self) -> None:
        """Read the greeting of the server. Raises SMTPConnectError if it refuses to talk."""
        code, text = self.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)

    def start_encryption(self, host_port: HostPort, credentials: TlsCredentials) -> None:
        """Start TLS, and forget what the server said before. Raises OutboundError."""
        self.ehlo_or_helo_if_needed()
        if not self.has_extn("starttls") or self.docmd("STARTTLS")[0] != 220:
            raise OutboundError("tls_failed")
        if self.file is not None:
            self.file.close()
        start_tls(self._connection, host_port, credentials)
        self.sock, self.file = self._connection.socket, None
        self.ehlo_resp = self.helo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False

    def log_in(self, server: SmtpServer) -> None:
        """Log in. Raises MailRefusedError, which then says that it is about the login."""
        try:
            self.login(server.user, server.password)
        except smtplib.SMTPAuthenticationError as error:
            raise MailRefusedError(error.smtp_code, is_login=True) from None
        except smtplib.SMTPNotSupportedError:
            raise MailRefusedError(_NOT_IMPLEMENTED, is_login=True) from None
