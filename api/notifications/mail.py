"""Sends a notification as an e-mail through the mail server of the settings."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import NamedTuple

from api.deliveries.attempt_result import AttemptResult, classify_outbound_error
from api.notifications.texts import MessageText
from api.outbound.allowlist import AllowedHost, HostPort, normalise_host
from api.outbound.connection import ConnectionPolicy, TlsCredentials
from api.outbound.errors import MailRefusedError, OutboundError
from api.outbound.smtp_client import OutboundMail, SmtpServer, send_mail
from api.settings import Settings

BOUNCED = "bounced"
LOGIN_FAILED = "login_failed"


class MailTransport(NamedTuple):
    """The mail server, the address that e-mail comes from, and the limits of a connection."""

    server: SmtpServer
    sender: str
    policy: ConnectionPolicy


class MailEnvelope(NamedTuple):
    """The header fields of one e-mail; `thread_id` is the id of the notification it follows."""

    id: str
    organisation: str
    address: str
    sent_at: datetime
    thread_id: str | None = None


def build_mail_transport(settings: Settings) -> MailTransport | None:
    """Return the transport, or None without a mail server. Raises OSError for the CA file."""
    if not settings.smtp_host or settings.smtp_sender is None:
        return None
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
    host_port = HostPort(normalise_host(settings.smtp_host), settings.smtp_port)
    file = settings.smtp_ca_file
    credentials = TlsCredentials(file.read_text(encoding="ascii") if file else None)
    policy = ConnectionPolicy(
        (AllowedHost(host_port, is_private_allowed=True),),  # the operator named it
        settings.delivery_seconds,
        tls_credentials=credentials,
    )
    server = SmtpServer(host_port, settings.smtp_tls, settings.smtp_user, password)
    return MailTransport(server, settings.smtp_sender, policy)


def send_as_mail(
    text: MessageText, envelope: MailEnvelope, transport: MailTransport
) -> AttemptResult:
    """Send an e-mail; a permanent refusal is a bounce."""
    content = encode_mail(text, envelope, transport.sender)
    mail = OutboundMail(transport.sender, envelope.address, content)
    try:
        send_mail(mail, transport.server, transport.policy)
    except OutboundError as error:
        return classify_outbound_error(error)
    except MailRefusedError as error:
        code = str(error.code)
        if error.is_login:
            return AttemptResult("transient_failure", LOGIN_FAILED, code)
        if error.code >= 500:
            return AttemptResult("permanent_failure", BOUNCED, code)
        return AttemptResult("transient_failure", "error", code)
    return AttemptResult("delivered", "accepted")


def encode_mail(text: MessageText, envelope: MailEnvelope, sender: str) -> bytes:
    """Encode an e-mail; each attempt has the same Message-ID, and a reminder joins its thread."""
    domain = sender.rpartition("@")[2]
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(envelope.organisation, addr_spec=sender)
    message["To"] = envelope.address
    message["Subject"] = text.subject
    message["Date"] = envelope.sent_at
    message["Message-ID"] = f"<{envelope.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if envelope.thread_id is not None:
        message["In-Reply-To"] = message["References"] = f"<{envelope.thread_id}@{domain}>"
    message.set_content(text.body, cte="quoted-printable")
    return message.as_bytes()
