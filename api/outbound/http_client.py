"""An HTTP client for allowed hosts: no redirects, proxies or cookies.

A response has a size limit and a deadline.
"""

import http.client
import socket
from collections.abc import Mapping
from contextlib import closing
from typing import NamedTuple

from api.outbound.allowlist import DEFAULT_PORTS, TargetUrl, parse_target_url
from api.outbound.connection import ConnectionPolicy, DeadlineSocket, open_connection
from api.outbound.errors import OutboundError, OutboundFailure

HTTP_SCHEMES = ("https", "http")
MAX_RESPONSE_BYTES = 1 << 20
_FIXED_HEADERS = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "nociscreen"}


class OutboundResponse(NamedTuple):
    """A response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class OutboundRequest(NamedTuple):
    """A request with an absolute URL."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    content: bytes | None = None


def send_request(
    request: OutboundRequest, policy: ConnectionPolicy, max_bytes: int = MAX_RESPONSE_BYTES
) -> OutboundResponse:
    """Send a request. Raises OutboundError. Plain HTTP only goes to hosts allowed as private."""
    try:
        target = parse_target_url(request.url, HTTP_SCHEMES)
    except ValueError:
        raise OutboundError("not_allowed") from None
    with open_connection(target, policy) as connection:
        return _exchange(connection, target, request, max_bytes)


class _ConnectedHttp(http.client.HTTPConnection):
    """HTTP over an open connection."""

    def __init__(self, host: str, connection: socket.socket) -> None:
        super().__init__(host)
        self.sock = connection
        self.auto_open = 0


def _exchange(
    connection: DeadlineSocket, target: TargetUrl, request: OutboundRequest, max_bytes: int
) -> OutboundResponse:
    http_connection = _ConnectedHttp(_format_host(target), connection.socket)
    headers = _FIXED_HEADERS | dict(request.headers)
    with connection.translate_errors(), closing(http_connection):
        try:
            http_connection.request(request.method, target.path, request.content, headers)
            with http_connection.getresponse() as response:
                content = response.read(max_bytes + 1)
                response_headers = {name.lower(): value for name, value in response.getheaders()}
                status, missing_bytes = response.status, response.length
        except (http.client.HTTPException, ValueError) as error:
            is_lost = isinstance(error, http.client.RemoteDisconnected)
            reason: OutboundFailure = "connection_lost" if is_lost else "unreadable"
            raise OutboundError("timeout" if connection.is_past_deadline else reason) from None
    if connection.is_past_deadline:
        raise OutboundError("timeout")
    if len(content) > max_bytes:
        raise OutboundError("too_large")
    if 300 <= status < 400:
        raise OutboundError("redirected")
    if missing_bytes:  # fewer bytes than Content-Length
        raise OutboundError("connection_lost")
    return OutboundResponse(status, response_headers, content)


def _format_host(target: TargetUrl) -> str:
    host, port = target.host_port
    name = f"[{host}]" if ":" in host else host
    return name if port == DEFAULT_PORTS[target.scheme] else f"{name}:{port}"
