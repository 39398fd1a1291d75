"""Receives HL7 messages over MLLP, merges patients and acknowledges each message.

`AA` means that all merges of the message are committed, in one transaction, or wait for a second
person's approval, or that the message concerns no patient's number. A repeated message changes
nothing. A sender has a deadline for each message and a number of connections of its own.
"""

import re
import socket
import socketserver
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, cast

import structlog
from pydantic import ValidationError

from api.hl7v2.acknowledgement import Hl7ErrorDetail, encode_acknowledgement
from api.hl7v2.batches import join_acknowledgements, split_batch
from api.hl7v2.mllp_framing import FrameDecoder, FrameError, frame_message
from api.hl7v2.parser import Hl7Message, UnreadableMessageError, parse_header, parse_hl7_message
from api.hl7v2.patient_merge import NotAMergeError, PatientMerge, parse_merges
from api.http.errors.error_conversion import convert_error
from api.http.rate_limit import compute_network_key
from api.outbound.bulkhead import Bulkhead, BulkheadFullError
from api.store import approvals
from api.store.errors import StoreError, UnavailableError
from api.store.operations.denied_requests import DeniedRequestLog
from api.store.patients.patient_lookup import PatientSelector
from api.store.store import Store
from api.store.transaction import Actor
from schemas.patients.patient import KnownPatient, PatientNumber

MAX_MESSAGE_BYTES = 64 * 1024
IDLE_TIMEOUT_SECONDS = 60.0
MESSAGE_TIMEOUT_SECONDS = 60.0
MAX_CONNECTIONS = 64
MAX_CONNECTIONS_PER_ADDRESS = 8
MAX_PEER_CHARACTERS = 80
_TYPE = re.compile(r"[A-Z][A-Z0-9]{2}")
_log = structlog.get_logger("nociscreen")


class AdtContext(NamedTuple):
    """What a message is applied with: the actor is named after the sender in the audit.

    `authorities` maps the names of assigning authorities to identifier systems; the empty name
    stands for numbers without an authority.
    """

    store: Store
    actor: Actor
    authorities: Mapping[str, str]
    denied_requests: DeniedRequestLog


def apply_content(context: AdtContext, content: bytes) -> bytes:
    """Apply a message, or each message of a batch, and return what acknowledges it."""
    batch = split_batch(content)
    if batch is None:
        return apply_message(context, content)
    return join_acknowledgements(batch, [apply_message(context, it) for it in batch.messages])


def apply_message(context: AdtContext, content: bytes) -> bytes:
    """Apply one message and return its acknowledgement."""
    now = datetime.now(UTC)
    message: Hl7Message | None = None
    try:
        message = parse_hl7_message(content)
        _require_control_id(message)
        merges = parse_merges(message, context.authorities)
        if merges:
            _merge_patients(context, merges)
        _log_message(context, message, "merged" if merges else "passed_over")
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
    context.denied_requests.record(context.actor, code, is_aggregated=True)
    _log_message(context, message, code, expected=fault.detail)
    return encode_acknowledgement(message, datetime.now(UTC), "AR", fault)


def _log_message(
    context: AdtContext, message: Hl7Message | None, outcome: str, **details: str
) -> None:
    """Log what became of a message, by its type and the outcome alone."""
    header = message.find_segment("MSH") if message else ("MSH",)
    parts: list[str] = []
    with suppress(UnreadableMessageError):
        parts = [message.read_component(header, 9, number) for number in (1, 2)] if message else []
    words = [part for part in parts if _TYPE.fullmatch(part)]
    _log.info(
        "hl7_message", sender=context.actor.id, type="^".join(words), outcome=outcome, **details
    )


def _merge_patients(context: AdtContext, requests: list[PatientMerge]) -> None:
    pairs = [(_build_selector(item.retired), _build_survivor(item.survivor)) for item in requests]
    with context.store.transaction(context.actor) as work:
        counts = [approvals.receive_merge(work, *pair) for pair in pairs]
        work.audit("merge", "patient", count=sum(counts))


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
