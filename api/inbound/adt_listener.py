"""Receives HL7 messages over MLLP and acknowledges each, plain or with TLS.

A sender has a deadline for each message and a number of connections of its own.
"""

import socket
import socketserver
import ssl
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import cast

from api.hl7v2.mllp_framing import FrameDecoder, FrameError, frame_message
from api.http.rate_limit import compute_network_key
from api.inbound.messages import AdtContext, apply_content
from api.outbound.bulkhead import Bulkhead, BulkheadFullError

MAX_MESSAGE_BYTES = 64 * 1024
IDLE_TIMEOUT_SECONDS = 60.0
MESSAGE_TIMEOUT_SECONDS = 60.0
MAX_CONNECTIONS = 64
MAX_CONNECTIONS_PER_ADDRESS = 8
MAX_PEER_CHARACTERS = 80


def build_tls_context(certificate: Path, client_authority: Path | None) -> ssl.SSLContext:
    """Load our certificate, and the CA that must have issued client certificates.

    Raises OSError or ValueError for files that can't be read as PEM.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # whatever the system's OpenSSL allows
    context.load_cert_chain(certificate)
    if client_authority is not None:
        context.load_verify_locations(client_authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class AdtListener(socketserver.ThreadingTCPServer):
    """An MLLP server, plain or with TLS: one thread per connection, up to a limit."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 16

    def __init__(
        self, address: tuple[str, int], adt_context: AdtContext, tls_context: ssl.SSLContext | None
    ) -> None:
        self.adt_context = adt_context
        self.tls_context = tls_context
        self._slots = Bulkhead(MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS)
        super().__init__(address, _Connection)

    def reserve_slot(self, address: str) -> AbstractContextManager[None]:
        """Hold a place for a connection from this address. Raises BulkheadFullError."""
        return self._slots.enter(compute_network_key(address))

    def server_close(self) -> None:
        """Stop listening and record the refusals that were counted but not yet written."""
        super().server_close()
        self.adt_context.denied_requests.flush()

    @property
    def port(self) -> int:
        """The bound TCP port."""
        return int(self.server_address[1])


class _Connection(socketserver.BaseRequestHandler):
    """One connection: each message is acknowledged before the next is read."""

    def handle(self) -> None:
        server = cast("AdtListener", self.server)
        plain: socket.socket = self.request
        plain.settimeout(IDLE_TIMEOUT_SECONDS)
        with (
            suppress(OSError, BulkheadFullError),
            server.reserve_slot(self.client_address[0]),
        ):
            if server.tls_context is None:
                self._serve(server, plain, self.client_address[0])
                return
            with server.tls_context.wrap_socket(plain, server_side=True) as secured:
                peer = read_certificate_name(secured) or self.client_address[0]
                self._serve(server, secured, peer)

    def _serve(self, server: AdtListener, connection: socket.socket, peer: str) -> None:
        context = server.adt_context
        actor = context.actor._replace(id=f"mllp:{peer}")
        serve_connection(context._replace(actor=actor), connection)


def read_certificate_name(connection: ssl.SSLSocket) -> str | None:
    """Return the common name of the client's certificate, readable and short; None without one."""
    certificate = connection.getpeercert() or {}
    subject = cast("tuple[tuple[tuple[str, str], ...], ...]", certificate.get("subject", ()))
    names = [value for part in subject for key, value in part if key == "commonName"]
    printable = "".join(filter(str.isprintable, names[0])) if names else ""
    return printable[:MAX_PEER_CHARACTERS] or None


def serve_connection(
    context: AdtContext, connection: socket.socket, now: Callable[[], float] = time.monotonic
) -> None:
    """Acknowledge each message, until the sender leaves or a message takes too long."""
    frames = FrameDecoder(MAX_MESSAGE_BYTES)
    begun_at = now()
    while True:
        seconds = IDLE_TIMEOUT_SECONDS
        if frames.has_partial_frame:
            seconds = MESSAGE_TIMEOUT_SECONDS - (now() - begun_at)
        if seconds <= 0:
            return
        connection.settimeout(seconds)
        if not (chunk := connection.recv(1 << 16)):
            return
        if not frames.has_partial_frame:
            begun_at = now()
        try:
            messages = frames.feed(chunk)
        except FrameError:
            return
        for content in messages:
            connection.sendall(frame_message(apply_content(context, content)))
            begun_at = now()
