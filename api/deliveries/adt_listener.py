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
from pathlib import Path
from typing import NamedTuple, cast

import structlog
from pydantic import ValidationError

from api.hl7v2.acknowledgement import Hl7ErrorDetail, encode_acknowledgement
from api.hl7v2.mllp_framing import FrameDecoder, FrameError, frame_message
from api.hl7v2.parser import Hl7Message, UnreadableMessageError, parse_header, parse_hl7_message
from api.hl7v2.patient_merge import NotAMergeError, PatientMerge, parse_merges
from api.http.error_conversion import convert_error
from api.store.errors import StoreError, UnavailableError
from api.store.patients import merges as patient_merges
from api.store.patients.patient_lookup import PatientSelector
from api.store.store import Store
from api.store.transaction import Actor
from schemas.patient import KnownPatient, PatientNumber

MAX_MESSAGE_BYTES = 64 * 1024
IDLE_TIMEOUT_SECONDS = 60.0
MAX_CONNECTIONS = 64
_log = structlog.get_logger("nociscreen")


class AdtContext(NamedTuple):
    """The store, the actor for merges and audit, and identifier systems by assigning authority."""

    store: Store
    actor: Actor
    authorities: Mapping[str, str]


def apply_message(context: AdtContext, content: bytes) -> bytes:
    """Apply one message and return its acknowledgement."""
    now = datetime.now(UTC)
    message: Hl7Message | None = None
    try:
        message = parse_hl7_message(content)
        _require_control_id(message)
        for patient_merge in parse_merges(message, context.authorities):
            _merge_patients(context, patient_merge)
    except UnreadableMessageError as error:
        fault = Hl7ErrorDetail("100", "Segment sequence error", str(error))
        return _refuse(context, message or parse_header(content), "unreadable", fault)
    except NotAMergeError as error:
        return _refuse(context, message, "not_a_merge", error.error_detail)
    except UnavailableError:
        fault = Hl7ErrorDetail("207", "Application internal error", "try again later")
        return encode_acknowledgement(message, now, "AE", fault)
    except StoreError as error:
        problem = convert_error(error)
        fault = Hl7ErrorDetail("204", "Unknown key identifier", problem.detail)
        return _refuse(context, message, problem.code, fault)
    except Exception as error:  # noqa: BLE001 - the sender gets an acknowledgement without details
        _log.error("mllp", error=type(error).__name__)
        fault = Hl7ErrorDetail("207", "Application internal error", "internal error")
        return encode_acknowledgement(message, now, "AE", fault)
    return encode_acknowledgement(message, now, "AA")


def _require_control_id(message: Hl7Message) -> None:
    """Require the control id by which the sender matches the acknowledgement."""
    if not message.read_component(message.find_segment("MSH"), 10):
        raise NotAMergeError(
            Hl7ErrorDetail("101", "Required field missing", "MSH-10: expected a control id")
        )


def _refuse(
    context: AdtContext, message: Hl7Message | None, code: str, fault: Hl7ErrorDetail
) -> bytes:
    """Audit and encode a refusal; without a database there is no audit row."""
    with suppress(StoreError), context.store.transaction(context.actor) as work:
        work.audit("refuse", "patient", outcome=code)
    return encode_acknowledgement(message, datetime.now(UTC), "AR", fault)


def _merge_patients(context: AdtContext, request: PatientMerge) -> None:
    with context.store.transaction(context.actor) as work:
        merged = patient_merges.merge_patients(
            work, _build_selector(request.retired), _build_survivor(request.survivor), "hl7v2"
        )
        work.audit("merge", "patient", count=merged.screenings)


def _build_selector(identifier: PatientNumber) -> PatientSelector:
    """Return the selector of a number that may have been stored before rules for its text."""
    for part in filter(None, identifier):
        if len(part) > 200:
            detail = "expected an identifier of at most 200 characters"
            raise NotAMergeError(Hl7ErrorDetail("102", "Data type error", detail))
    return PatientSelector(identifier.reference, identifier.system)


def _build_survivor(identifier: PatientNumber) -> PatientSelector:
    """Return the selector of the number that is stored from now on."""
    selector = _build_selector(identifier)
    try:
        KnownPatient(reference=selector.reference, system=selector.system)
    except ValidationError:
        detail = "expected an identifier without control characters"
        raise NotAMergeError(Hl7ErrorDetail("102", "Data type error", detail)) from None
    return selector


def build_tls_context(certificate: Path, client_authority: Path | None) -> ssl.SSLContext:
    """Load our certificate, and the CA that must have issued client certificates.

    Raises OSError or ValueError for files that can't be read as PEM.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
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
        super().__init__(address, _Connection)
        self.adt_context = adt_context
        self.tls_context = tls_context
        self.connection_slots = threading.BoundedSemaphore(MAX_CONNECTIONS)

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
        if not server.connection_slots.acquire(blocking=False):
            return
        try:
            self._serve(server, plain)
        finally:
            server.connection_slots.release()

    def _serve(self, server: AdtListener, plain: socket.socket) -> None:
        with suppress(OSError):
            if server.tls_context is None:
                _serve(server.adt_context, plain)
                return
            with server.tls_context.wrap_socket(plain, server_side=True) as secured:
                _serve(server.adt_context, secured)


def _serve(context: AdtContext, connection: socket.socket) -> None:
    frames = FrameDecoder(MAX_MESSAGE_BYTES)
    while chunk := connection.recv(1 << 16):
        try:
            for content in frames.feed(chunk):
                connection.sendall(frame_message(apply_message(context, content)))
        except FrameError:
            return
