"""A real mail server on loopback (aiosmtpd), plain, with STARTTLS or TLS, that keeps its mail."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, AuthResult, Envelope


class MailServer:
    """The port and the mail received.

    `refusal` is what the server answers to a recipient instead of 250. A silent server takes a
    message, which counts as an arrival, and never answers.
    """

    def __init__(self) -> None:
        self.port = 0
        self.messages: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.refusal: str | None = None
        self.logged_in: list[bool] = []
        self.arrivals = 0
        self.is_silent = False

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name and arguments
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _: Any
    ) -> str:
        """Accept the recipient unless the test wants otherwise."""
        if self.refusal is not None:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep the message."""
        self.arrivals += 1
        if self.is_silent:
            await asyncio.Event().wait()
        self.envelopes.append(envelope)
        self.logged_in.append(session.authenticated)
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 accepted"


class Login(NamedTuple):
    """The only user and password that the server accepts."""

    user: bytes
    password: bytes


@contextmanager
def running_mail_server(
    context: ssl.SSLContext | None = None, tls: str = "none", login: Login | None = None
) -> Iterator[MailServer]:
    """Run a mail server in a thread of its own."""
    mail_server, is_listening, loop = MailServer(), threading.Event(), asyncio.new_event_loop()

    def authenticate(
        _server: Any, _session: Any, _envelope: Any, _name: str, login_data: Any
    ) -> AuthResult:
        return AuthResult(success=(login_data.login, login_data.password) == login, handled=False)

    def build_session() -> SMTP:
        return SMTP(
            mail_server,
            hostname="mail.example",
            loop=loop,
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            authenticator=authenticate,
            auth_require_tls=tls != "tls",  # there it would not know that there is TLS already
        )

    async def serve() -> None:
        tls_context = context if tls == "tls" else None
        listener = await loop.create_server(build_session, "127.0.0.1", 0, ssl=tls_context)
        mail_server.port = listener.sockets[0].getsockname()[1]
        is_listening.set()
        await stopped.wait()
        listener.close()
        sessions = asyncio.all_tasks() - {asyncio.current_task()}
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    stopped = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    is_listening.wait(10)
    yield mail_server
    loop.call_soon_threadsafe(stopped.set)
    thread.join(10)
    loop.close()
