"""Hosts that accept connections and never answer; each counts what it held while others worked."""

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

DRIP_SECONDS = 0.5
ACCEPTANCE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Tarpit:
    """A server on loopback that says nothing, or sends one byte at a time, to each connection.

    One that greets answers its first connection, as the handshake of a Subscription asks.
    """

    def __init__(self, *, drips: bool = False, greets: bool = False) -> None:
        self._drips, self._greets = drips, greets
        self._stopping = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open = self._observed = 0
        self._is_observed = False
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def observed_count(self) -> int:
        """How many connections were open, at least in part, while the tarpit was observed."""
        return self._observed

    @contextmanager
    def observe(self) -> Iterator[None]:
        """Count the connections that are open now and those that come while the block runs."""
        with self._lock:
            self._observed += self._open
            self._is_observed = True
        try:
            yield
        finally:
            self._is_observed = False

    def close(self) -> None:
        """Accept nothing more, and let go of every connection."""
        self._stopping.set()
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._greets:
                self._greets = False
                connection.recv(65536)
                connection.sendall(ACCEPTANCE)
                return
            with self._lock:
                self._open += 1
                self._observed += self._is_observed
            try:
                self._hold(connection)
            finally:
                with self._lock:
                    self._open -= 1

    def _hold(self, connection: socket.socket) -> None:
        """Hold a connection until the caller gives up; read what it sends to see that it did."""
        connection.settimeout(DRIP_SECONDS)
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                if not connection.recv(65536):
                    return
            if self._drips:
                connection.sendall(b"H")


@contextmanager
def observe_all(tarpits: Iterable[Tarpit]) -> Iterator[None]:
    """Observe several tarpits while the block runs."""
    with ExitStack() as stack:
        for tarpit in tarpits:
            stack.enter_context(tarpit.observe())
        yield
