"""An HTTP client for allowed hosts: no redirects, proxies or cookies.

A response has a size limit and a deadline.
"""

import http.client
import socket
from collections.abc import Mapping
from contextlib import closing
from typing import NamedTuple

from api.outbound.allowlist import Place, Target, allowance, target
from api.outbound.connection import Line, Way, connected
from api.outbound.errors import OutgoingError

MOST_BYTES = 1 << 20
_DEFAULT_PORTS = {"https": 443, "http": 80}
_FIXED_HEADERS = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "nociscreen"}


class Answer(NamedTuple):
    """A response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Asked(NamedTuple):
    """A request with an absolute URL."""

    method: str
    address: str
    headers: Mapping[str, str] = {}
    content: bytes | None = None


def answered(request: Asked, policy: Way, most_bytes: int = MOST_BYTES) -> Answer:
    """Send a request. Raises OutgoingError. Plain HTTP only goes to hosts allowed as private."""
    receiver = _parse_target(request.address)
    if receiver.scheme == "http" and not allowance(receiver.place, policy.allowed).private:
        raise OutgoingError("not_allowed")
    with connected(receiver.place, policy, tls=receiver.scheme == "https") as connection:
        return _exchange(connection, receiver, request, most_bytes)


def _parse_target(address: str) -> Target:
    try:
        return target(address, ("https", "http"))
    except ValueError:
        raise OutgoingError("not_allowed") from None


class _ConnectedHttp(http.client.HTTPConnection):
    """HTTP over an open connection."""

    def __init__(self, host: str, connection: socket.socket) -> None:
        super().__init__(host)
        self.sock = connection
        self.auto_open = 0


def _exchange(connection: Line, receiver: Target, request: Asked, max_bytes: int) -> Answer:
    http_connection = _ConnectedHttp(_format_host(receiver), connection.socket)
    headers = _FIXED_HEADERS | dict(request.headers)
    with connection.told(), closing(http_connection):
        try:
            http_connection.request(request.method, receiver.path, request.content, headers)
            with http_connection.getresponse() as response:
                content = response.read(max_bytes + 1)
                response_headers = {name.lower(): value for name, value in response.getheaders()}
                status, missing_bytes = response.status, response.length
        except http.client.RemoteDisconnected:
            raise OutgoingError("too_slow" if connection.late else "cut_off") from None
        except (http.client.HTTPException, ValueError):
            raise OutgoingError("too_slow" if connection.late else "unreadable") from None
    if connection.late:
        raise OutgoingError("too_slow")
    if len(content) > max_bytes:
        raise OutgoingError("too_large")
    if 300 <= status < 400:
        raise OutgoingError("redirected")
    if missing_bytes:  # fewer bytes than Content-Length
        raise OutgoingError("cut_off")
    return Answer(status, response_headers, content)


def _format_host(receiver: Target) -> str:
    name = f"[{receiver.place.host}]" if ":" in receiver.place.host else receiver.place.host
    is_default_port = receiver.place.port == _DEFAULT_PORTS[receiver.scheme]
    return name if is_default_port else f"{name}:{receiver.place.port}"


def place_of(address: str) -> Place:
    """Return the host and port of a URL of any supported scheme. Raises ValueError."""
    return target(address, ("https", "http", "mllps", "mllp")).place
