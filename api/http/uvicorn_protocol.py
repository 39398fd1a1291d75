"""One connection: uvicorn's HTTP protocol with deadlines, sizes and problems added.

Headers that come too slowly, a response that is not read, and more connections than are allowed
are cut off. What is not HTTP or too large is answered with a problem, after which what still comes
is thrown away, for a moment and up to a bound: a client that is cut off in the middle of sending
would not see why.
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

from api.http.middleware import completed
from api.observability.metrics import Metrics
from api.problems import Problem
from api.settings import Settings

LINGER_SECONDS = 2.0
LINGER_BYTES = 8 * 1024 * 1024
FRAMING = 8  # bytes of framing for one of a body: single bytes in chunks need six


def connection(settings: Settings, metrics: Metrics) -> type[HttpToolsProtocol]:
    """The protocol of one server's connections."""

    class Bounded(Connection):
        """A connection of this server."""

        waiting: dict[Connection, None] = {}  # noqa: RUF012 - shared by one server's connections

    Bounded.settings, Bounded.metrics = settings, metrics
    return Bounded


class Connection(HttpToolsProtocol):
    """See the module. `waiting` holds those without a request, the longest waiting first."""

    settings: Settings
    metrics: Metrics
    waiting: dict["Connection", None]

    _headers_due: asyncio.TimerHandle | None = None
    _reading_due: asyncio.TimerHandle | None = None
    _is_refused = False
    _in_body = False
    _header_bytes = 0
    _tail = b""  # the end of headers may come in two pieces
    _thrown_away = 0
    _framing = 0  # bytes received since the headers that were no body

    def connection_made(self, transport: Any) -> None:
        """Take the connection; over the limit, the one that has waited longest makes room."""
        super().connection_made(transport)
        self._await_headers()
        if len(self.connections) > self.settings.connections:
            longest = next(iter(self.waiting))
            longest._stop_waiting()  # noqa: SLF001 - one of its own kind
            longest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop_waiting()
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count before parsing: httptools has no limits of its own."""
        if self._is_refused or self.transport.is_closing():
            self._throw_away(data)
            return
        if self._in_body:
            self._framing += len(data)
        elif self._headers_over(data):
            self._refuse("headers_too_large")
            return
        super().data_received(data)
        if self._in_body and self._framing > self.settings.header_bytes:
            self._refuse("malformed_request")

    def _headers_over(self, data: bytes) -> bool:
        seen = self._tail + data
        end = seen.find(b"\r\n\r\n")
        self._header_bytes += len(data) if end < 0 else end - len(self._tail)
        self._tail = seen[-3:]
        return self._header_bytes > self.settings.header_bytes

    # what the parser found

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one after the body, where it could be anything, is left out."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request."""
        self._stop_waiting()
        self._in_body, self._framing = True, 0
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.transport = cast("Transport", _Gentle(self, self.cycle))

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, which pays for its framing."""
        self._framing = max(0, self._framing - FRAMING * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the next request's headers."""
        self._in_body, self._header_bytes, self._tail = False, 0, b""
        super().on_message_complete()

    # how the response goes

    def on_response_complete(self) -> None:
        """Wait for the next request, or see that the rest is read before the end."""
        if self._is_refused:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        if not self.transport.is_closing():
            if not self.pipeline:
                self._await_headers()
        elif self.transport.get_write_buffer_size():
            self._watch_reading()

    def pause_writing(self) -> None:
        """The client does not read as fast as we write: from now it is watched."""
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        """It read most of what waited; for the rest it has the same time again."""
        super().resume_writing()
        self._stop_watching()
        if self.transport.get_write_buffer_size():
            self._watch_reading()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that is no longer used."""
        self._close()

    def shutdown(self) -> None:
        """Close once the response under way is sent."""
        super().shutdown()
        if self.transport.is_closing():
            self._watch_reading()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP; uvicorn's words for it are not used."""
        del msg
        self._refuse("malformed_request")

    # ends

    def _refuse(self, code: str) -> None:
        """Answer with a problem and read no more; the client has a moment to take it.

        Where another answer is due or begun on the connection, it ends without one.
        """
        self._stop_waiting()
        self._stop_watching()
        self._is_refused = True
        self.metrics.problem(code)
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
        self.transport.write(_raw(Problem(code)))
        self._linger()

    def end(self, cycle: RequestResponseCycle) -> None:
        """Close after a response; where its request is still being sent, take the rest first."""
        if not (cycle.response_complete and cycle.more_body) or self.transport.is_closing():
            self.transport.close()
            return
        self._stop_watching()
        self._is_refused = True
        self._linger()

    def _linger(self) -> None:
        """Say that nothing more will be sent, and give the client a moment to see it."""
        self.flow.resume_reading()
        with contextlib.suppress(NotImplementedError, OSError, RuntimeError):
            self.transport.write_eof()
        self._reading_due = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _throw_away(self, data: bytes) -> None:
        self._thrown_away += len(data)
        if self._thrown_away > LINGER_BYTES:
            self.transport.abort()

    def _close(self) -> None:
        """Close; what the client does not read in time is dropped."""
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
                self.settings.send_seconds, self.transport.abort
            )

    def _stop_watching(self) -> None:
        if self._reading_due is not None:
            self._reading_due.cancel()
            self._reading_due = None


class _Gentle:
    """The transport as one exchange has it: where it closes, the connection decides how."""

    def __init__(self, connection: Connection, cycle: RequestResponseCycle) -> None:
        self._connection = connection
        self._cycle = cycle

    def close(self) -> None:
        """End the exchange."""
        self._connection.end(self._cycle)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection.transport, name)


def _raw(problem: Problem) -> bytes:
    """The problem as bytes of HTTP."""
    response = problem.response()
    headers = completed([*response.raw_headers, (b"connection", b"close")], uuid.uuid4().hex)
    lines = [name + b": " + value + b"\r\n" for name, value in headers]
    return b"".join([STATUS_LINE[response.status_code], *lines, b"\r\n", bytes(response.body)])
