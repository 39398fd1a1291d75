"""Opens outbound connections to allowed hosts, each with a deadline for the whole exchange.

The deadline covers name resolution, connecting, TLS and every byte: a receiver that sends one byte
a second times out like one that sends none. A host name is resolved once, and the checked addresses
are used.
"""

import os
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
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
MAX_RESOLVING_THREADS = 8
_resolving_threads = threading.BoundedSemaphore(MAX_RESOLVING_THREADS)
"""Resolvers of the system know no deadline; those that a caller gave up on end by themselves."""


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
    """Limits for connections: allowed hosts, a deadline in seconds, and TLS credentials.

    Each connection has the deadline to itself, unless it was started for several together.
    """

    allowed_hosts: tuple[AllowedHost, ...]
    deadline_seconds: float
    resolver: Resolver = resolve_host
    tls_credentials: TlsCredentials = TlsCredentials()
    ends_at: float | None = None

    def start_deadline(self) -> "ConnectionPolicy":
        """Return the policy with one deadline for all connections from now on."""
        ends_at = time.monotonic() + self.deadline_seconds
        return self if self.ends_at is not None else self._replace(ends_at=ends_at)

    def find_remaining_seconds(self) -> float:
        """Return the seconds until the deadline. Raises OutboundError `timeout` when it passed."""
        if self.ends_at is None:
            return self.deadline_seconds
        remaining_seconds = self.ends_at - time.monotonic()
        if remaining_seconds <= 0:
            raise OutboundError("timeout")
        return remaining_seconds


class DeadlineSocket:
    """A connected socket with a deadline."""

    def __init__(self, connection: socket.socket, ends_at: float) -> None:
        self.socket = connection
        self._ends_at = ends_at

    @property
    def is_past_deadline(self) -> bool:
        """True if the deadline passed."""
        return time.monotonic() >= self._ends_at

    def abort(self) -> None:
        """Shut the socket down, so that pending reads and writes fail at once."""
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
    host_port, policy = target.host_port, policy.start_deadline()
    allow_private = find_allowed_host(host_port, policy.allowed_hosts).is_private_allowed
    if not (target.uses_tls or allow_private):
        raise OutboundError("not_allowed")
    addresses = require_permitted_addresses(
        _resolve_in_time(host_port, policy), allow_private=allow_private
    )
    ends_at = time.monotonic() + policy.find_remaining_seconds()
    plain = _connect_first(addresses, host_port.port, policy)
    connection = DeadlineSocket(plain, ends_at)
    timer: threading.Timer | None = None
    try:
        timer = threading.Timer(policy.find_remaining_seconds(), connection.abort)
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


def _resolve_in_time(host_port: HostPort, policy: ConnectionPolicy) -> Collection[str]:
    """Resolve in a thread of its own, of which there are few. Raises OutboundError."""
    outcome: Future[Collection[str]] = Future()

    def resolve() -> None:
        try:
            outcome.set_result(policy.resolver(host_port))
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
            outcome.set_exception(error)
        finally:
            _resolving_threads.release()

    if not _resolving_threads.acquire(timeout=policy.find_remaining_seconds()):
        raise OutboundError("timeout")
    threading.Thread(target=resolve, name="resolver", daemon=True).start()
    try:
        return outcome.result(policy.find_remaining_seconds())
    except TimeoutError:
        raise OutboundError("timeout") from None


def _connect_first(
    addresses: Collection[str], port: int, policy: ConnectionPolicy
) -> socket.socket:
    for address in addresses:
        timeout_seconds = policy.find_remaining_seconds()
        with suppress(OSError):
            return socket.create_connection((address, port), timeout=timeout_seconds)
    raise OutboundError("unreachable")


def start_tls(connection: DeadlineSocket, host_port: HostPort, tls: TlsCredentials) -> None:
    """Encrypt an open connection and verify the server's certificate. Raises OutboundError."""
    try:
        context = ssl.create_default_context(cadata=tls.ca_certificates)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # whatever the system's OpenSSL allows
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
