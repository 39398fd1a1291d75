"""Connecting: a place to an open socket. Its name is resolved once, and what it gave is used.

A deadline holds for all of it: whoever drips one byte a second is cut off like whoever says none.
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


def resolved(place: Place) -> list[str]:
    """The addresses of a place, as the system's resolver gives them, each once."""
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutgoingError("unresolvable") from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Trust(NamedTuple):
    """By what a receiver proves itself, and we to it: PEM texts, where not the system's."""

    authorities: str | None = None
    certificate_and_key: str | None = None


class Way(NamedTuple):
    """How connections may be made: to what is allowed, within so many seconds."""

    allowed: tuple[Allowed, ...]
    seconds: float
    resolve: Resolve = resolved
    trust: Trust = Trust()


class Line:
    """An open connection with a deadline."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._late = threading.Event()

    @property
    def late(self) -> bool:
        """Whether the deadline came before the end."""
        return self._late.is_set()

    def end(self) -> None:
        """Cut it off: whoever reads or writes is told at once."""
        self._late.set()
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def send(self, content: bytes) -> None:
        """Send it whole. Raises OutgoingError."""
        with self.told():
            self.socket.sendall(content)

    def receive(self, most: int = 1 << 16) -> bytes:
        """Some bytes, none at the end. Raises OutgoingError."""
        with self.told():
            some = self.socket.recv(most)
        if self.late:
            raise OutgoingError("too_slow")
        return some

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn what sockets raise into OutgoingError."""
        try:
            yield
        except TimeoutError:
            raise OutgoingError("too_slow") from None
        except OSError:
            raise OutgoingError("too_slow" if self.late else "cut_off") from None


@contextmanager
def connected(place: Place, way: Way, *, tls: bool) -> Iterator[Line]:
    """A line to the place. Raises OutgoingError, `not_allowed` before anything is resolved."""
    private = allowance(place, way.allowed).private
    addresses = permitted(way.resolve(place), private=private)
    plain = _reached(addresses, place.port, way.seconds)
    timer: threading.Timer | None = None
    try:
        line = Line(plain)
        timer = threading.Timer(way.seconds, line.end)
        timer.daemon = True
        timer.start()
        if tls:
            _secure(line, place, way.trust)
        yield line
    finally:
        if timer is not None:
            timer.cancel()
        with suppress(OSError):
            line.socket.close()
        plain.close()


def _reached(addresses: Collection[str], port: int, seconds: float) -> socket.socket:
    for each in addresses:
        with suppress(OSError):
            return socket.create_connection((each, port), timeout=seconds)
    raise OutgoingError("unreachable")


def _secure(line: Line, place: Place, trust: Trust) -> None:
    """Speak TLS from now on, under the name that was asked for; the deadline holds for it too."""
    try:
        context = ssl.create_default_context(cadata=trust.authorities)
        if trust.certificate_and_key is not None:
            _prove(context, trust.certificate_and_key)
        secured = context.wrap_socket(
            line.socket, server_hostname=place.host, do_handshake_on_connect=False
        )
        line.socket = secured
        secured.do_handshake()
    except TimeoutError:
        raise OutgoingError("too_slow") from None
    except (OSError, ValueError):  # an SSLError is an OSError
        raise OutgoingError("too_slow" if line.late else "no_tls") from None


def _prove(context: ssl.SSLContext, certificate_and_key: str) -> None:
    """Load our own certificate: OpenSSL takes it from a file only, which is gone at once."""
    number, name = tempfile.mkstemp(prefix="nociscreen-")
    try:
        with os.fdopen(number, "w") as file:
            file.write(certificate_and_key)
        context.load_cert_chain(name)
    finally:
        os.unlink(name)  # noqa: PTH108 - a name of a descriptor of the system's
