"""An HTTP client for allowed hosts: no redirects, proxies or cookies.

A response has a size limit and a deadline.
"""

import http.client
import socket
from collections.abc import Mapping
from contextlib import closing
from typing import NamedTuple

from api.outbound.allowlist import HostPort, TargetUrl, find_allowed_host, parse_target_url
from api.outbound.connection import ConnectionPolicy, DeadlineSocket, open_connection
from api.outbound.errors import OutboundError

MAX_RESPONSE_BYTES = 1 << 20
_DEFAULT_PORTS = {"https": 443, "http": 80}
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
    """Send a request. Raises OutgoingError. Plain HTTP only goes to hosts allowed as private."""
    receiver = _parse_target(request.url)
    if (
        receiver.scheme == "http"
        and not find_allowed_host(receiver.host_port, policy.allowed_hosts).is_private_allowed
    ):
        raise OutboundError("not_allowed")
    with open_connection(receiver.host_port, policy, tls=receiver.scheme == "https") as connection:
        return _exchange(connection, receiver, request, max_bytes)


def _parse_target(address: str) -> TargetUrl:
    try:
        return parse_target_url(address, ("https", "http"))
    except ValueError:
        raise OutboundError("not_allowed") from None


class _ConnectedHttp(http.client.HTTPConnection):
    """HTTP over an open connection."""

    def __init__(self, host: str, connection: socket.socket) -> None:
        super().__init__(host)
        self.sock = connection
        self.auto_open = 0


def _exchange(
    connection: DeadlineSocket, receiver: TargetUrl, request: OutboundRequest, max_bytes: int
) -> OutboundResponse:
    http_connection = _ConnectedHttp(_format_host(receiver), connection.socket)
    headers = _FIXED_HEADERS | dict(request.headers)
    with connection.translate_errors(), closing(http_connection):
        try:
            http_connection.request(request.method, receiver.path, request.content, headers)
            with http_connection.getresponse() as response:
                content = response.read(max_bytes + 1)
                response_headers = {name.lower(): value for name, value in response.getheaders()}
                status, missing_bytes = response.status, response.length
        except http.client.RemoteDisconnected:
            raise OutboundError("too_slow" if connection.is_past_deadline else "cut_off") from None
        except (http.client.HTTPException, ValueError):
            raise OutboundError(
                "too_slow" if connection.is_past_deadline else "unreadable"
            ) from None
    if connection.is_past_deadline:
        raise OutboundError("too_slow")
    if len(content) > max_bytes:
        raise OutboundError("too_large")
    if 300 <= status < 400:
        raise OutboundError("redirected")
    if missing_bytes:  # fewer bytes than Content-Length
        raise OutboundError("cut_off")
    return OutboundResponse(status, response_headers, content)


def _format_host(receiver: TargetUrl) -> str:
    name = (
        f"[{receiver.host_port.host}]"
        if ":" in receiver.host_port.host
        else receiver.host_port.host
    )
    is_default_port = receiver.host_port.port == _DEFAULT_PORTS[receiver.scheme]
    return name if is_default_port else f"{name}:{receiver.host_port.port}"


def parse_host_port(address: str) -> HostPort:
    """Return the host and port of a URL of any supported scheme. Raises ValueError."""
    return parse_target_url(address, ("https", "http", "mllps", "mllp")).host_port
