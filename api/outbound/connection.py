"""Opens outbound connections to allowed hosts, each with a deadline for the whole exchange.

A host name is resolved once, and the checked addresses are used. A receiver that sends one byte a
second is cut off like a silent one.
"""

import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from api.outbound.allowlist import Allowed, Place, allowance, permitted
from api.outbound.errors import OutgoingError

Resolve = Callable[[Place], Collection[str]]


def resolved(host_port: Place) -> list[str]:
    """Resolve a host to its distinct addresses with the system's resolver."""
    try:
        results = socket.getaddrinfo(host_port.host, host_port.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutgoingError("unresolvable") from None
    return list(dict.fromkeys(str(result[4][0]) for result in results))


class Trust(NamedTuple):
    """PEM texts: CA certificates instead of the system's, and our certificate with its key."""

    authorities: str | None = None
    certificate_and_key: str | None = None


class Way(NamedTuple):
    """Limits for connections: allowed hosts, a deadline in seconds, and TLS credentials."""

    allowed: tuple[Allowed, ...]
    seconds: float
    resolve: Resolve = resolved
    trust: Trust = Trust()


class Line:
    """A connected socket with a deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._timed_out = threading.Event()

    @property
    def late(self) -> bool:
        """True if the deadline passed."""
        return self._timed_out.is_set()

    def end(self) -> None:
        """Shut the socket down, so that pending reads and writes fail at once."""
        self._timed_out.set()
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def send(self, content: bytes) -> None:
        """Send all bytes. Raises OutgoingError."""
        with self.told():
            self.socket.sendall(content)

    def receive(self, max_bytes: int = 1 << 16) -> bytes:
        """Receive a chunk, empty at the end of the stream. Raises OutgoingError."""
        with self.told():
            chunk = self.socket.recv(max_bytes)
        if self.late:
            raise OutgoingError("too_slow")
        return chunk

    @contextmanager
    def told(self) -> Iterator[None]:
        """Translate socket errors into OutgoingError."""
        try:
            yield
        except TimeoutError:
            raise OutgoingError("too_slow") from None
        except OSError:
            raise OutgoingError("too_slow" if self.late else "cut_off") from None


@contextmanager
def connected(host_port: Place, policy: Way, *, tls: bool) -> Iterator[Line]:
    """Connect to an allowed host. Raises OutgoingError, `not_allowed` before any DNS query."""
    private = allowance(host_port, policy.allowed).private
    addresses = permitted(policy.resolve(host_port), private=private)
    plain = _connect_first(addresses, host_port.port, policy.seconds)
    timer: threading.Timer | None = None
    try:
        connection = Line(plain)
        timer = threading.Timer(policy.seconds, connection.end)
        timer.daemon = True
        timer.start()
        if tls:
            _start_tls(connection, host_port, policy.trust)
        yield connection
    finally:
        if timer is not None:
            timer.cancel()
        with suppress(OSError):
            connection.socket.close()
        plain.close()


def _connect_first(addresses: Collection[str], port: int, timeout_seconds: float) -> socket.socket:
    for address in addresses:
        with suppress(OSError):
            return socket.create_connection((address, port), timeout=timeout_seconds)
    raise OutgoingError("unreachable")


def _start_tls(connection: Line, host_port: Place, credentials: Trust) -> None:
    """Start TLS, verifying the host name; the deadline covers the handshake."""
    try:
        context = ssl.create_default_context(cadata=credentials.authorities)
        if credentials.certificate_and_key is not None:
            _load_client_certificate(context, credentials.certificate_and_key)
        secured = context.wrap_socket(
            connection.socket, server_hostname=host_port.host, do_handshake_on_connect=False
        )
        connection.socket = secured
        secured.do_handshake()
    except TimeoutError:
        raise OutgoingError("too_slow") from None
    except (OSError, ValueError):  # an SSLError is an OSError
        raise OutgoingError("too_slow" if connection.late else "no_tls") from None


def _load_client_certificate(context: ssl.SSLContext, certificate_and_key: str) -> None:
    """Load the client certificate from a temporary file, as OpenSSL requires one."""
    descriptor, path = tempfile.mkstemp(prefix="nociscreen-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(certificate_and_key)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)  # noqa: PTH108 - a name of a descriptor of the system's
