"""The listener: ADT^A40 comes in over MLLP, patients are merged, and it is acknowledged.

It is answered `AA` only when the merge is committed; sent again, it moves nothing twice.
"""

import socket
import socketserver
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple, cast

import structlog

from api.hl7v2.acknowledgement import Fault, acknowledging
from api.hl7v2.mllp_framing import FrameError, Frames, framed
from api.hl7v2.parser import Message, UnreadableError, heading, read
from api.hl7v2.patient_merge import Merge, NotAMergeError, Numbered, merges
from api.problems import Problem
from api.store.patients import merges as patient_merges
from api.store.patients.patient_lookup import Person
from api.store.store import Store
from api.store.transaction import Actor

MOST_BYTES = 64 * 1024
IDLE_SECONDS = 60.0
MOST_CONNECTIONS = 64
_log = structlog.get_logger("nociscreen")


class Taking(NamedTuple):
    """In whose name messages are taken, and which systems its authorities' names stand for."""

    store: Store
    actor: Actor
    authorities: Mapping[str, str]


def answer(taking: Taking, content: bytes) -> bytes:
    """What one message is answered, after it was done."""
    now = datetime.now(UTC)
    told: Message | None = None
    try:
        told = read(content)
        _check_id(told)
        for each in merges(told, taking.authorities):
            _merge(taking, each)
    except UnreadableError as error:
        fault = Fault("100", "Segment sequence error", str(error))
        return _refused(taking, told or heading(content), "unreadable", fault)
    except NotAMergeError as error:
        return _refused(taking, told, "not_a_merge", error.fault)
    except Problem as problem:
        if problem.code != "unavailable":
            fault = Fault("204", "Unknown key identifier", problem.detail)
            return _refused(taking, told, problem.code, fault)
        fault = Fault("207", "Application internal error", "try again later")
        return acknowledging(told, now, "AE", fault)
    except Exception as error:  # noqa: BLE001 - the sender must be told something, and learns nothing
        _log.error("mllp", error=type(error).__name__)
        fault = Fault("207", "Application internal error", "something of ours failed")
        return acknowledging(told, now, "AE", fault)
    return acknowledging(told, now, "AA")


def _check_id(told: Message) -> None:
    """Refuse a message that its sender could not know again in the answer."""
    if not told.word(told.first("MSH"), 10):
        raise NotAMergeError(
            Fault("101", "Required field missing", "MSH-10: expected a control id")
        )


def _refused(taking: Taking, told: Message | None, code: str, fault: Fault) -> bytes:
    """The refusal, audited; a database that is away leaves it without its row."""
    with suppress(Problem), taking.store.transaction(taking.actor) as work:
        work.audit("refuse", "patient", outcome=code)
    return acknowledging(told, datetime.now(UTC), "AR", fault)


def _merge(taking: Taking, each: Merge) -> None:
    with taking.store.transaction(taking.actor) as work:
        merged = patient_merges.merge(work, _person(each.retired), _person(each.survivor), "hl7v2")
        work.audit("merge", "patient", count=merged.screenings)


def _person(numbered: Numbered) -> Person:
    for each in filter(None, numbered):
        if len(each) > 200:
            raise NotAMergeError(
                Fault("102", "Data type error", "a number of 200 characters at most")
            )
    return Person(numbered.reference, numbered.system)


class Listener(socketserver.ThreadingTCPServer):
    """Takes connections, plain or by TLS, each in a thread of its own; so many at once."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 16

    def __init__(
        self, address: tuple[str, int], taking: Taking, context: ssl.SSLContext | None
    ) -> None:
        super().__init__(address, _Connection)
        self.taking = taking
        self.context = context
        self.places = threading.BoundedSemaphore(MOST_CONNECTIONS)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self.server_address[1])


class _Connection(socketserver.BaseRequestHandler):
    """One connection: messages one after the other, each answered before the next is read."""

    def handle(self) -> None:
        server = cast("Listener", self.server)
        plain: socket.socket = self.request
        plain.settimeout(IDLE_SECONDS)
        if not server.places.acquire(blocking=False):
            return
        try:
            self._serve(server, plain)
        finally:
            server.places.release()

    def _serve(self, server: Listener, plain: socket.socket) -> None:
        with suppress(OSError):
            if server.context is None:
                _serve(server.taking, plain)
                return
            with server.context.wrap_socket(plain, server_side=True) as secured:
                _serve(server.taking, secured)


def _serve(taking: Taking, line: socket.socket) -> None:
    frames = Frames(MOST_BYTES)
    while some := line.recv(1 << 16):
        try:
            for content in frames.feed(some):
                line.sendall(framed(answer(taking, content)))
        except FrameError:
            return
