"""The edge of every request and response: an id, careful headers, one line of log, no bare 500.

The log holds the method, the route's own path, the status, the time and the id: nothing sent.
"""

import time
import uuid
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem

HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]
CLIENT_GONE = 499
_log = structlog.get_logger("nociscreen")


class Edge:
    """Wraps the application; see the module."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        started, sent = time.perf_counter(), {"status": 0}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent["status"] = message["status"]
                message["headers"] = _completed(message["headers"], request_id)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            sent["status"] = CLIENT_GONE
        except Exception:  # noqa: BLE001 - the last resort: whatever it was, nothing of it goes out
            _log.exception("failed", request_id=request_id)
            if not sent["status"]:
                await Problem("internal").response()(scope, receive, send_with_headers)
        seconds = round(time.perf_counter() - started, 4)
        _log.info(
            "request",
            method=_method(scope),
            route=_route(scope),
            status=sent["status"],
            seconds=seconds,
            request_id=request_id,
        )


def _completed(headers: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    given = {name.lower() for name, _ in headers}
    added = [each for each in HEADERS if each[0] not in given]
    return [*headers, *added, (b"x-request-id", request_id.encode("ascii"))]


def _method(scope: Scope) -> str:
    """The method, where it is one that exists: a made-up one could carry anything."""
    method: str = scope["method"]
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
    return method if method in known else "other"


def _route(scope: dict[str, Any] | Scope) -> str:
    """The path as the route declares it, never as it was asked for."""
    return getattr(scope.get("route"), "path", "none")
