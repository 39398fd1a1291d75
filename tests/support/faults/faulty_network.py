"""A link between two programs on this computer that breaks in a chosen way."""

import itertools
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from support.interop.loopback_servers import running_server

from api.outbound.allowlist import HostPort

Fault = Callable[[socket.socket, socket.socket], None]
"""Serves one connection between a caller and the program behind the link."""

FIRST_BYTES = 40
SMALL_PIECE = 64


class FaultyLink:
    """Serves each connection with the next of the faults set, and with the usual one after them."""

    def __init__(self, host: str, port: int, usual: Fault) -> None:
        self.usual = usual
        self.faults: deque[Fault] = deque()
        self._upstream = (host, port)

    def serve(self, caller: socket.socket) -> None:
        """Serve one connection."""
        with suppress(OSError):
            fault = self.usual
            with suppress(IndexError):
                fault = self.faults.popleft()
            with socket.create_connection(self._upstream) as upstream:
                fault(caller, upstream)


def reset(connection: socket.socket) -> None:
    """Close a connection with a reset, which the other end receives as an error."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def copy_bytes(source: socket.socket, target: socket.socket, size: int = 65_536) -> None:
    """Pass on what comes, in pieces of this size, until the source ends."""
    with suppress(OSError):
        while piece := source.recv(size):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def pass_on(caller: socket.socket, upstream: socket.socket, size: int = 65_536) -> None:
    """Break nothing."""
    answers = threading.Thread(target=copy_bytes, args=(upstream, caller), daemon=True)
    answers.start()
    copy_bytes(caller, upstream, size)
    answers.join()


@contextmanager
def faulty_link(
    host: str, port: int, usual: Fault = pass_on
) -> Iterator[tuple[HostPort, FaultyLink]]:
    """Open a link to this port; yield where it listens."""
    link = FaultyLink(host, port, usual)
    with running_server(link.serve) as host_port:
        yield host_port, link


def pass_on_in_small_pieces(caller: socket.socket, upstream: socket.socket) -> None:
    """Send the request in pieces of a few bytes."""
    pass_on(caller, upstream, SMALL_PIECE)


def refuse(caller: socket.socket, _upstream: socket.socket) -> None:
    """Reset at once."""
    reset(caller)


def cut_off_head(caller: socket.socket, upstream: socket.socket) -> None:
    """Pass on the first bytes of the request, then reset both ends."""
    upstream.sendall(caller.recv(FIRST_BYTES))
    reset(caller)
    reset(upstream)


def cut_off_body(caller: socket.socket, upstream: socket.socket) -> None:
    """Pass on all of the request but its last bytes, then end both connections."""
    request = caller.recv(1_000_000)
    upstream.sendall(request[:-FIRST_BYTES])
    reset(caller)


def lose_answer(caller: socket.socket, upstream: socket.socket) -> None:
    """Pass on the request, wait for the answer, and lose it."""
    upstream.sendall(caller.recv(1_000_000))
    upstream.recv(1)
    reset(caller)


def cut_off_answer(caller: socket.socket, upstream: socket.socket) -> None:
    """Pass on the first bytes of the answer, then reset."""
    upstream.sendall(caller.recv(1_000_000))
    caller.sendall(upstream.recv(FIRST_BYTES))
    reset(caller)


def leave_before_answer(caller: socket.socket, upstream: socket.socket) -> None:
    """Pass on the request and reset both ends before there is an answer."""
    upstream.sendall(caller.recv(1_000_000))
    reset(upstream)
    reset(caller)


class CutOffAtCommit:
    """Passes on what a service says to its database; once armed, ends at every third COMMIT.

    The database has then committed (`is_committed`) or never learns of it.
    """

    CUT_INTERVAL = 3

    def __init__(self, *, is_committed: bool) -> None:
        self.is_armed = False
        self.cut_count = 0
        self._is_committed = is_committed
        self._commits = itertools.count(1)

    def __call__(self, caller: socket.socket, upstream: socket.socket) -> None:
        answers = threading.Thread(target=copy_bytes, args=(upstream, caller), daemon=True)
        answers.start()
        while piece := caller.recv(65_536):
            if (
                self.is_armed
                and b"COMMIT" in piece
                and next(self._commits) % self.CUT_INTERVAL == 0
            ):
                self.cut_count += 1
                caller.shutdown(socket.SHUT_RDWR)
                if self._is_committed:
                    upstream.sendall(piece)
                upstream.shutdown(socket.SHUT_WR)
                break
            upstream.sendall(piece)
        answers.join()
