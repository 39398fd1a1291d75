"""Opens outbound connections to allowed hosts, each with a deadline for the whole exchange.

A host name is resolved once, and the checked addresses are used. A receiver that sends one byte a
second times out like one that sends none.
"""

import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from api.outbound.allowlist import (
    AllowedHost,
    HostPort,
    TargetUrl,
    find_allowed_host,
    require_permitted_addresses,
)
from api.outbound.errors import OutboundError

Resolver = Callable[[HostPort], Collection[str]]


def resolve_host(host_port: HostPort) -> list[str]:
    """Resolve a host to its distinct addresses with the system's resolver."""
    try:
        results = socket.getaddrinfo(host_port.host, host_port.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutboundError("unresolvable") from None
    return list(dict.fromkeys(str(result[4][0]) for result in results))


class TlsCredentials(NamedTuple):
    """PEM texts: CA certificates instead of the system's, and our certificate with its key."""

    ca_certificates: str | None = None
    client_certificate_and_key: str | None = None


class ConnectionPolicy(NamedTuple):
    """Limits for connections: allowed hosts, a deadline in seconds, and TLS credentials."""

    allowed_hosts: tuple[AllowedHost, ...]
    deadline_seconds: float
    resolver: Resolver = resolve_host
    tls_credentials: TlsCredentials = TlsCredentials()


class DeadlineSocket:
    """A connected socket with a deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._timed_out = threading.Event()

    @property
    def is_past_deadline(self) -> bool:
        """True if the deadline passed."""
        return self._timed_out.is_set()

    def abort(self) -> None:
        """Shut the socket down, so that pending reads and writes fail at once."""
        self._timed_out.set()
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def send(self, content: bytes) -> None:
        """Send all bytes. Raises OutboundError."""
        with self.translate_errors():
            self.socket.sendall(content)

    def receive(self, max_bytes: int = 1 << 16) -> bytes:
        """Receive a chunk, empty at the end of the stream. Raises OutboundError."""
        with self.translate_errors():
            chunk = self.socket.recv(max_bytes)
        if self.is_past_deadline:
            raise OutboundError("timeout")
        return chunk

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Translate socket errors into OutboundError."""
        try:
            yield
        except TimeoutError:
            raise OutboundError("timeout") from None
        except OSError:
            raise OutboundError("timeout" if self.is_past_deadline else "connection_lost") from None


@contextmanager
def open_connection(target: TargetUrl, policy: ConnectionPolicy) -> Iterator[DeadlineSocket]:
    """Connect to an allowed host, without TLS only to a private one. Raises OutboundError."""
    host_port = target.host_port
    allow_private = find_allowed_host(host_port, policy.allowed_hosts).is_private_allowed
    if not (target.uses_tls or allow_private):
        raise OutboundError("not_allowed")
    addresses = require_permitted_addresses(policy.resolver(host_port), allow_private=allow_private)
    plain = _connect_first(addresses, host_port.port, policy.deadline_seconds)
    timer: threading.Timer | None = None
    try:
        connection = DeadlineSocket(plain)
        timer = threading.Timer(policy.deadline_seconds, connection.abort)
        timer.daemon = True
        timer.start()
        if target.uses_tls:
            start_tls(connection, host_port, policy.tls_credentials)
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
    raise OutboundError("unreachable")


def start_tls(connection: DeadlineSocket, host_port: HostPort, tls: TlsCredentials) -> None:
    """Encrypt an open connection and verify the server's certificate. Raises OutboundError."""
    try:
        context = ssl.create_default_context(cadata=tls.ca_certificates)
        if tls.client_certificate_and_key is not None:
            _load_client_certificate(context, tls.client_certificate_and_key)
        secured = context.wrap_socket(
            connection.socket, server_hostname=host_port.host, do_handshake_on_connect=False
        )
        connection.socket = secured
        secured.do_handshake()
    except TimeoutError:
        raise OutboundError("timeout") from None
    except (OSError, ValueError):  # an SSLError is an OSError
        raise OutboundError("timeout" if connection.is_past_deadline else "tls_failed") from None


def _load_client_certificate(context: ssl.SSLContext, certificate_and_key: str) -> None:
    """Load the client certificate from a temporary file, as OpenSSL requires one."""
    descriptor, path = tempfile.mkstemp(prefix="nociscreen-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(certificate_and_key)
        context.load_cert_chain(path)
    finally:
        Path(path).unlink()
