"""uvicorn's HTTP protocol with timeouts, size limits and problem responses.

Connections with slow headers, an unread response or over the connection limit are closed. A
malformed or oversized request is answered with a problem. Further input is then discarded for a
short time and up to a limit, because a client cut off while sending would not see the response.
"""

import asyncio
import contextlib
import uuid
from asyncio import Transport
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from api.http.middleware import complete_headers, list_security_headers
from api.observability.metrics import Metrics
from api.problems import Problem
from api.settings import Settings

LINGER_SECONDS = 2.0
LINGER_BYTES = 8 * 1024 * 1024
FRAMING_BYTES_PER_BODY_BYTE = (
    8  # framing bytes allowed for each byte of a body: chunks of one byte need six
)


def build_protocol_class(settings: Settings, metrics: Metrics) -> type[HttpToolsProtocol]:
    """Return the protocol class for the connections of one server."""

    class ServerConnection(BoundedConnection):
        """A connection of this server."""

        waiting: dict[BoundedConnection, None] = {}  # noqa: RUF012 - shared by the connections of one server

    ServerConnection.settings, ServerConnection.metrics = settings, metrics
    return ServerConnection


class BoundedConnection(HttpToolsProtocol):
    """See the module. `waiting` holds the connections without a request, the oldest first."""

    settings: Settings
    metrics: Metrics
    waiting: dict["BoundedConnection", None]

    _headers_due: asyncio.TimerHandle | None = None
    _reading_due: asyncio.TimerHandle | None = None
    _is_rejected = False
    _in_body = False
    _header_bytes = 0
    _tail = b""  # the end of the headers may arrive in two pieces
    _discarded_bytes = 0
    _framing = 0  # bytes received since the headers that are not of the body

    def connection_made(self, transport: Any) -> None:
        """Accept the connection; over the limit, abort the one that has waited longest."""
        super().connection_made(transport)
        self._await_headers()
        if len(self.connections) > self.settings.max_connections:
            oldest = next(iter(self.waiting))
            oldest._stop_waiting()  # noqa: SLF001 - an instance of this class
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers of the connection."""
        self._stop_waiting()
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count before parsing: httptools has no limits of its own."""
        if self._is_rejected or self.transport.is_closing():
            self._discarded_bytes += len(data)
            if self._discarded_bytes > LINGER_BYTES:
                self.transport.abort()
            return
        if self._in_body:
            self._framing += len(data)
        elif self._exceeds_header_limit(data):
            self._reject("headers_too_large")
            return
        super().data_received(data)
        if self._in_body and self._framing > self.settings.max_header_bytes:
            self._reject("malformed_request")

    def _exceeds_header_limit(self, data: bytes) -> bool:
        window = self._tail + data
        end = window.find(b"\r\n\r\n")
        self._header_bytes += len(data) if end < 0 else end - len(self._tail)
        self._tail = window[-3:]
        return self._header_bytes > self.settings.max_header_bytes

    def on_header(self, name: bytes, value: bytes) -> None:
        """Accept a header; trailers after the body are ignored: nothing checks them."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request."""
        self._stop_waiting()
        self._in_body, self._framing = True, 0
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.transport = cast("Transport", _LingeringTransport(self, self.cycle))

    def on_body(self, body: bytes) -> None:
        """Accept a piece of the body, and count down the framing that it allows."""
        self._framing = max(0, self._framing - FRAMING_BYTES_PER_BODY_BYTE * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the next request's headers."""
        self._in_body, self._header_bytes, self._tail = False, 0, b""
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, or limit the time to read the rest of the response."""
        if self._is_rejected:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        if not self.transport.is_closing():
            if not self.pipeline:
                self._await_headers()
        elif self.transport.get_write_buffer_size():
            self._watch_reading()

    def pause_writing(self) -> None:
        """Start the timer for a client that reads more slowly than the server writes."""
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        """Restart the timer for the rest, once the client has read most of the buffer."""
        super().resume_writing()
        self._stop_watching()
        if self.transport.get_write_buffer_size():
            self._watch_reading()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection."""
        self._close()

    def shutdown(self) -> None:
        """Close once the current response is sent."""
        super().shutdown()
        if self.transport.is_closing():
            self._watch_reading()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP with a problem in place of uvicorn's text."""
        del msg
        self._reject("malformed_request")

    def _reject(self, code: str) -> None:
        """Send a problem and half-close; abort if another response is pending or in progress."""
        self._stop_waiting()
        self._stop_watching()
        self._is_rejected = True
        self.metrics.record_problem(code)
        cycle = self.cycle
        if self.pipeline or (
            cycle is not None
            and not cycle.response_complete
            and (cycle.response_started or not cycle.more_body)
        ):
            self.transport.abort()
            return
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(_serialise(Problem(code), self.settings))
        self._half_close()

    def end_response(self, cycle: RequestResponseCycle) -> None:
        """Close after a response; if its request is still arriving, discard the rest first."""
        if not (cycle.response_complete and cycle.more_body) or self.transport.is_closing():
            self.transport.close()
            return
        self._stop_watching()
        self._is_rejected = True
        self._half_close()

    def _half_close(self) -> None:
        """Close the sending side, and give the client a short time to read the response."""
        self.flow.resume_reading()
        with contextlib.suppress(NotImplementedError, OSError, RuntimeError):
            self.transport.write_eof()
        self._reading_due = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _close(self) -> None:
        """Close; output that the client does not read in time is dropped."""
        if not self.transport.is_closing():
            self.transport.close()
        self._watch_reading()

    def _await_headers(self) -> None:
        self._stop_waiting()
        self.waiting[self] = None
        self._headers_due = self.loop.call_later(self.settings.header_seconds, self._close)

    def _stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _watch_reading(self) -> None:
        if self._reading_due is None:
            self._reading_due = self.loop.call_later(
                self.settings.response_timeout_seconds, self.transport.abort
            )

    def _stop_watching(self) -> None:
        if self._reading_due is not None:
            self._reading_due.cancel()
            self._reading_due = None


class _LingeringTransport:
    """The transport of one request; the connection decides how to close it."""

    def __init__(self, connection: BoundedConnection, cycle: RequestResponseCycle) -> None:
        self._connection = connection
        self._cycle = cycle

    def close(self) -> None:
        """End the request and its response."""
        self._connection.end_response(self._cycle)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection.transport, name)


def _serialise(problem: Problem, settings: Settings) -> bytes:
    response = problem.build_response()
    headers = complete_headers(
        [*response.raw_headers, (b"connection", b"close")],
        list_security_headers(settings),
        uuid.uuid4().hex,
    )
    lines = [name + b": " + value + b"\r\n" for name, value in headers]
    return b"".join([STATUS_LINE[response.status_code], *lines, b"\r\n", bytes(response.body)])
