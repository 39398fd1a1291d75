"""The edge of every request and response: an id, careful headers, one line of log, no bare 500.

Requests that are more than can be worked on at once, and such as no route should see, are answered
here without reading their bodies. The log holds the method, the route's own path, the status, the
time and the id: nothing sent.
"""

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.observability.metrics import Metrics
from api.observability.structured_logging import REQUEST_ID
from api.problems import KINDS, MEDIA_TYPE, Problem
from api.settings import Settings

HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]
CLIENT_GONE = 499
EMPTY = (204, 304)
HEADER_COUNT = 100
ALWAYS = "/health/live"
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)
_HOST = re.compile(rb"[A-Za-z0-9._~:\[\]-]{1,255}")
_PROBLEM = re.compile(rb'"type":"/problems/([a-z_]+)"|"diagnostics":"problem ([a-z_]+):')
_TOLD_AS_PROBLEM = (b"content-type", MEDIA_TYPE.encode())
_log = structlog.get_logger("nociscreen")


class ErrorFormat(NamedTuple):
    """How problems are sent under a path: the media type, and the body made of a problem's."""

    prefix: str
    media_type: str
    render: Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Edge:
    """Wraps the application; see the module."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        metrics: Metrics,
        error_formats: tuple[ErrorFormat, ...] = (),
    ) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._error_formats = error_formats
        self._under_way = 0
        metrics.watch(lambda: self._under_way)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # answered as GET is, without the body
            send = _without_body(send)
        answer = Answer(send, self._error_format(scope["path"]))
        request_id = REQUEST_ID.set(answer.request_id)
        started = time.perf_counter()
        self._under_way += 1
        try:
            await self._answer(scope, receive, answer)
        finally:
            self._under_way -= 1
            self._tell(scope, answer, time.perf_counter() - started)
            REQUEST_ID.reset(request_id)

    async def _answer(self, scope: Scope, receive: Receive, answer: "Answer") -> None:
        try:
            self._admit(scope)
        except Problem as problem:
            await problem.response()(scope, receive, answer.send)
            return
        asked = dict(scope) | {"method": "GET"} if scope["method"] == "HEAD" else scope
        try:
            await self._app(asked, receive, answer.send)
        except ClientDisconnect:
            answer.status = CLIENT_GONE
        except Exception:  # noqa: BLE001 - the last resort: whatever it was, nothing of it goes out
            _log.exception("failed")
            if not answer.status:
                await Problem("internal").response()(scope, receive, answer.send)
        finally:
            scope["route"] = asked.get("route")

    def _error_format(self, path: str) -> ErrorFormat | None:
        under = (form for form in self._error_formats if f"{path}/".startswith(f"{form.prefix}/"))
        return next(under, None)

    def _admit(self, scope: Scope) -> None:
        """Raise the Problem of a request that is one too many or that no route should see."""
        headers = scope["headers"]
        if len(headers) > HEADER_COUNT or _size(scope) > self._settings.header_bytes:
            raise Problem("headers_too_large")
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            raise Problem("malformed_request", "Exactly one `Host` header is needed.")
        if self._under_way > self._settings.concurrent_requests and scope["path"] != ALWAYS:
            raise Problem("too_many", headers={"Retry-After": "1"})

    def _tell(self, scope: Scope, answer: "Answer", seconds: float) -> None:
        method, route = _method(scope), _route(scope)
        self._metrics.answered(route, method, answer.status, seconds)
        if answer.problem:
            self._metrics.problem(answer.problem)
        _log.info(
            "request",
            method=method,
            route=route,
            status=answer.status,
            seconds=round(seconds, 4),
            request_id=answer.request_id,
        )


def _without_body(send: Send) -> Send:
    async def sent(message: Message) -> None:
        bodiless = {"body": b""} if message["type"] == "http.response.body" else {}
        await send(dict(message) | bodiless)

    return sent


class Answer:
    """What is sent: its id and headers are added, its status and problem remembered."""

    def __init__(self, send: Send, error_format: ErrorFormat | None = None) -> None:
        self._send = send
        self._error_format = error_format
        self._held: Message | None = None
        self.request_id = uuid.uuid4().hex
        self.status = 0
        self.problem = ""

    async def send(self, message: Message) -> None:
        """Send one message of a response."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            if self.status in EMPTY:
                headers = [each for each in headers if each[0].lower() != b"content-type"]
            message["headers"] = completed(headers, self.request_id)
            if self._error_format and _TOLD_AS_PROBLEM in message["headers"]:
                self._held = message
                return
        elif self.status >= 400 and not self.problem:
            self.problem = _problem(message.get("body", b""))
        if self._held is not None and self._error_format:
            start, self._held = self._held, None
            start, message = _reformat(self._error_format, start, message)
            await self._send(start)
        await self._send(message)


def completed(headers: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers with careful ones and the request's id added."""
    given = {name.lower() for name, _ in headers}
    added = [each for each in HEADERS if each[0] not in given]
    return [*headers, *added, (b"x-request-id", request_id.encode("ascii"))]


def _reformat(form: ErrorFormat, start: Message, body: Message) -> tuple[Message, Message]:
    """Render a problem, which is sent in one piece, in the format of its path."""
    content = json.dumps(form.render(json.loads(body["body"])), separators=(",", ":")).encode()
    own = {
        b"content-type": form.media_type.encode(),
        b"content-length": str(len(content)).encode(),
    }
    headers = [(name, own.get(name, value)) for name, value in start["headers"]]
    return {**start, "headers": headers}, {**body, "body": content}


def _size(scope: Scope) -> int:
    head: int = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    return head + sum(len(name) + len(value) + 4 for name, value in scope["headers"])


def _problem(body: bytes) -> str:
    """The code of the problem that is sent, wherever it was raised."""
    found = _PROBLEM.search(body, 0, 2000)
    code = (found[1] or found[2]).decode("ascii") if found else ""
    return code if code in KINDS else ""


def _method(scope: Scope) -> str:
    """The method, where it is one that exists: a made-up one could carry anything."""
    method: str = scope["method"]
    return method if method in _METHODS else "other"


def _route(scope: Scope) -> str:
    """The path as the route declares it, never as it was asked for."""
    return getattr(scope.get("route"), "path", "none")
