"""The outermost middleware: request id, security headers, request log and error responses.

Excess and malformed requests are answered here without reading their bodies. The log holds method,
route template, status, duration and request id, and nothing the client sent.
"""

import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.networks import is_forwarded_untrusted
from api.http.request_id import choose_request_id
from api.observability.metrics import Metrics
from api.observability.structured_logging import REQUEST_ID
from api.observability.traces import RequestTraces
from api.problems import PROBLEM_MEDIA_TYPE, Problem
from api.settings import Settings

SECURITY_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
CLIENT_CLOSED_REQUEST = 499
BODILESS_STATUSES = (204, 304)
MAX_HEADER_COUNT = 100
LIVENESS_PATH = "/health/live"
RATE_LIMITS = "rate_limits"
"""The member of a request's state that holds the `RateLimit` headers of its response."""
_HEALTH = "/health/"
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)
_HOST = re.compile(rb"[A-Za-z0-9._~:\[\]-]{1,255}")
_PROBLEM_CONTENT_TYPE = (b"content-type", PROBLEM_MEDIA_TYPE.encode())
_log = structlog.get_logger("nociscreen")


class ErrorFormat(NamedTuple):
    """The format of problems under a path prefix: media type, and renderer of the body."""

    prefix: str
    media_type: str
    render: Callable[[Mapping[str, Any]], Mapping[str, Any]]


class RequestMiddleware:
    """The outermost ASGI middleware; see the module."""

    def __init__(  # noqa: PLR0913 - its parts
        self,
        app: ASGIApp,
        settings: Settings,
        metrics: Metrics,
        error_formats: tuple[ErrorFormat, ...] = (),
        *,
        traces: RequestTraces | None = None,
        is_closed: bool = False,
    ) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._error_formats = error_formats
        self._traces = traces
        self._is_closed = is_closed
        self._security_headers = list_security_headers(settings)
        self._in_flight = 0
        metrics.track_requests_in_progress(lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # answered like GET, without the body
            send = _without_body(send)
        state = scope.setdefault("state", {})
        answer = ResponseRecorder(
            send,
            self._security_headers,
            self._error_format(scope["path"]),
            state,
            request_id=choose_request_id(scope["headers"]),
        )
        state["request_id"] = answer.request_id
        request_id = REQUEST_ID.set(answer.request_id)
        started_at = time.perf_counter()
        self._in_flight += 1
        if is_forwarded_untrusted(scope):
            self._metrics.record_untrusted_forwarding()
        try:
            await self._respond(scope, receive, answer)
        finally:
            self._in_flight -= 1
            self._report(scope, answer, time.perf_counter() - started_at)
            REQUEST_ID.reset(request_id)

    async def _respond(self, scope: Scope, receive: Receive, answer: "ResponseRecorder") -> None:
        try:
            self._admit(scope)
        except Problem as problem:
            answer.problem = problem.code
            await problem.build_response(answer.request_id)(scope, receive, answer.send)
            return
        state = scope["state"]
        app_scope = dict(scope) | {"method": "GET"} if scope["method"] == "HEAD" else scope
        try:
            await self._app(app_scope, receive, answer.send)
        except ClientDisconnect:
            answer.status = CLIENT_CLOSED_REQUEST
        except Exception:  # noqa: BLE001 - the last resort: no detail of any error reaches the client
            _log.exception("uncaught_exception")
            if not answer.status:
                state["problem"] = "internal"
                response = Problem("internal").build_response(answer.request_id)
                await response(scope, receive, answer.send)
        finally:
            scope["route"] = app_scope.get("route")
            answer.problem = state.get("problem", "")

    def _error_format(self, path: str) -> ErrorFormat | None:
        path = f"{path}/"
        formats = (form for form in self._error_formats if path.startswith(f"{form.prefix}/"))
        return next(formats, None)

    def _admit(self, scope: Scope) -> None:
        if self._is_closed and not scope["path"].startswith(_HEALTH):
            raise Problem("withdrawals_unsettled")
        headers = scope["headers"]
        head_bytes = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        head_bytes += sum(len(name) + len(value) + 4 for name, value in headers)
        if len(headers) > MAX_HEADER_COUNT or head_bytes > self._settings.max_header_bytes:
            raise Problem("headers_too_large")
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            raise Problem("malformed_request", "Exactly one `Host` header is needed.")
        if (
            self._in_flight > self._settings.max_concurrent_requests
            and scope["path"] != LIVENESS_PATH
        ):
            raise Problem("too_many", headers={"Retry-After": "1"})

    def _report(self, scope: Scope, answer: "ResponseRecorder", seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "none")  # as declared, never as sent
        self._metrics.record_request(route, method, answer.status, seconds)
        if answer.problem:
            self._metrics.record_problem(answer.problem)
        if self._traces:
            self._traces.record_request(
                scope["headers"],
                route=route,
                method=method,
                status=answer.status,
                problem=answer.problem,
                request_id=answer.request_id,
                seconds=seconds,
            )
        _log.info(
            "request",
            method=method,
            route=route,
            status=answer.status,
            seconds=round(seconds, 4),
            request_id=answer.request_id,
        )


def _without_body(send: Send) -> Send:
    async def send_without_body(message: Message) -> None:
        empty = {"body": b""} if message["type"] == "http.response.body" else {}
        await send(dict(message) | empty)

    return send_without_body


class ResponseRecorder:
    """Sends a response with its id and headers, and records its status and problem code."""

    def __init__(
        self,
        send: Send,
        security_headers: Iterable[tuple[bytes, bytes]],
        error_format: ErrorFormat | None = None,
        state: Mapping[str, Any] = MappingProxyType({}),
        *,
        request_id: str | None = None,
    ) -> None:
        self._send = send
        self._security_headers = security_headers
        self._state = state
        self._error_format = error_format
        self._pending_start: Message | None = None
        self.request_id = request_id or uuid.uuid4().hex
        self.status = 0
        self.problem = ""

    async def send(self, message: Message) -> None:
        """Send one message of a response."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            if self.status in BODILESS_STATUSES:
                headers = [header for header in headers if header[0].lower() != b"content-type"]
            rate_limits = self._state.get(RATE_LIMITS, ())
            message["headers"] = complete_headers(
                [*headers, *rate_limits], self._security_headers, self.request_id
            )
            if self._error_format and _PROBLEM_CONTENT_TYPE in message["headers"]:
                self._pending_start = message
                return
        if self._pending_start is not None and self._error_format:
            start, self._pending_start = self._pending_start, None
            start, message = _reformat(self._error_format, start, message)
            await self._send(start)
        await self._send(message)


def list_security_headers(settings: Settings) -> tuple[tuple[bytes, bytes], ...]:
    """Return the security headers of every response, one with HTTPS alone (RFC 6797)."""
    is_https = settings.public_url.startswith("https://")
    return (*SECURITY_HEADERS, _HTTPS_ONLY) if is_https else SECURITY_HEADERS


def complete_headers(
    headers: list[tuple[bytes, bytes]],
    security_headers: Iterable[tuple[bytes, bytes]],
    request_id: str,
) -> list[tuple[bytes, bytes]]:
    """Return the headers with the missing security headers and the request id added."""
    names = {name.lower() for name, _ in headers}
    missing = [header for header in security_headers if header[0] not in names]
    return [*headers, *missing, (b"x-request-id", request_id.encode("ascii"))]


def _reformat(form: ErrorFormat, start: Message, body: Message) -> tuple[Message, Message]:
    """Render a problem, always sent as one body message, in the format of its path."""
    content = json.dumps(form.render(json.loads(body["body"])), separators=(",", ":")).encode()
    replaced = {
        b"content-type": form.media_type.encode(),
        b"content-length": str(len(content)).encode(),
    }
    headers = [(name, replaced.get(name, value)) for name, value in start["headers"]]
    return {**start, "headers": headers}, {**body, "body": content}
