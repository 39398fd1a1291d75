"""Receives ADT^A40 messages over MLLP, merges the patients and acknowledges each message.

`AA` means that the merge is committed. A repeated message changes nothing.
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
    """The store, the actor for merges and audit, and identifier systems by assigning authority."""

    store: Store
    actor: Actor
    authorities: Mapping[str, str]


def answer(context: Taking, content: bytes) -> bytes:
    """Apply one message and return its acknowledgement."""
    now = datetime.now(UTC)
    message: Message | None = None
    try:
        message = read(content)
        _require_control_id(message)
        for patient_merge in merges(message, context.authorities):
            _merge_patients(context, patient_merge)
    except UnreadableError as error:
        fault = Fault("100", "Segment sequence error", str(error))
        return _refuse(context, message or heading(content), "unreadable", fault)
    except NotAMergeError as error:
        return _refuse(context, message, "not_a_merge", error.fault)
    except Problem as problem:
        if problem.code != "unavailable":
            fault = Fault("204", "Unknown key identifier", problem.detail)
            return _refuse(context, message, problem.code, fault)
        fault = Fault("207", "Application internal error", "try again later")
        return acknowledging(message, now, "AE", fault)
    except Exception as error:  # noqa: BLE001 - the sender gets an acknowledgement without details
        _log.error("mllp", error=type(error).__name__)
        fault = Fault("207", "Application internal error", "something of ours failed")
        return acknowledging(message, now, "AE", fault)
    return acknowledging(message, now, "AA")


def _require_control_id(message: Message) -> None:
    """Require the control id by which the sender matches the acknowledgement."""
    if not message.word(message.first("MSH"), 10):
        raise NotAMergeError(
            Fault("101", "Required field missing", "MSH-10: expected a control id")
        )


def _refuse(context: Taking, message: Message | None, code: str, fault: Fault) -> bytes:
    """Audit and encode a refusal; without a database there is no audit row."""
    with suppress(Problem), context.store.transaction(context.actor) as work:
        work.audit("refuse", "patient", outcome=code)
    return acknowledging(message, datetime.now(UTC), "AR", fault)


def _merge_patients(context: Taking, request: Merge) -> None:
    with context.store.transaction(context.actor) as work:
        merged = patient_merges.merge(
            work, _to_person(request.retired), _to_person(request.survivor), "hl7v2"
        )
        work.audit("merge", "patient", count=merged.screenings)


def _to_person(identifier: Numbered) -> Person:
    for part in filter(None, identifier):
        if len(part) > 200:
            raise NotAMergeError(
                Fault("102", "Data type error", "a number of 200 characters at most")
            )
    return Person(identifier.reference, identifier.system)


class Listener(socketserver.ThreadingTCPServer):
    """An MLLP server, plain or with TLS: one thread per connection, up to a limit."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 16

    def __init__(
        self, address: tuple[str, int], taking: Taking, tls_context: ssl.SSLContext | None
    ) -> None:
        super().__init__(address, _Connection)
        self.taking = taking
        self.context = tls_context
        self.places = threading.BoundedSemaphore(MOST_CONNECTIONS)

    @property
    def port(self) -> int:
        """The bound TCP port."""
        return int(self.server_address[1])


class _Connection(socketserver.BaseRequestHandler):
    """One connection: each message is acknowledged before the next is read."""

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


def _serve(context: Taking, connection: socket.socket) -> None:
    frames = Frames(MOST_BYTES)
    while chunk := connection.recv(1 << 16):
        try:
            for content in frames.feed(chunk):
                connection.sendall(framed(answer(context, content)))
        except FrameError:
            return
