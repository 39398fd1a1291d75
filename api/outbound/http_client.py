"""Asking: one HTTP request to one answer, never further: no redirect, no proxy, no cookie.

What comes back is at most so long and comes in time, or it is no answer.
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
_DEFAULTS = {"https": 443, "http": 80}
_OURS = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "nociscreen"}


class Answer(NamedTuple):
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Asked(NamedTuple):
    """What is sent."""

    method: str
    address: str
    headers: Mapping[str, str] = {}
    content: bytes | None = None


def answered(asked: Asked, way: Way, most_bytes: int = MOST_BYTES) -> Answer:
    """The answer. Raises OutgoingError; plain HTTP goes to what is allowed as private alone."""
    where = _target(asked.address)
    if where.scheme == "http" and not allowance(where.place, way.allowed).private:
        raise OutgoingError("not_allowed")
    with connected(where.place, way, tls=where.scheme == "https") as line:
        return _exchanged(line, where, asked, most_bytes)


def _target(address: str) -> Target:
    try:
        return target(address, ("https", "http"))
    except ValueError:
        raise OutgoingError("not_allowed") from None


class _Pinned(http.client.HTTPConnection):
    """HTTP over a line that is open already."""

    def __init__(self, host: str, line: socket.socket) -> None:
        super().__init__(host)
        self.sock = line
        self.auto_open = 0


def _exchanged(line: Line, where: Target, asked: Asked, most: int) -> Answer:
    connection = _Pinned(_named(where), line.socket)
    headers = _OURS | dict(asked.headers)
    with line.told(), closing(connection):
        try:
            connection.request(asked.method, where.path, asked.content, headers)
            with connection.getresponse() as response:
                content = response.read(most + 1)
                told = {name.lower(): value for name, value in response.getheaders()}
                status, missing = response.status, response.length
        except http.client.RemoteDisconnected:
            raise OutgoingError("too_slow" if line.late else "cut_off") from None
        except (http.client.HTTPException, ValueError):
            raise OutgoingError("too_slow" if line.late else "unreadable") from None
    if line.late:
        raise OutgoingError("too_slow")
    if len(content) > most:
        raise OutgoingError("too_large")
    if 300 <= status < 400:
        raise OutgoingError("redirected")
    if missing:  # fewer bytes than were promised
        raise OutgoingError("cut_off")
    return Answer(status, told, content)


def _named(where: Target) -> str:
    name = f"[{where.place.host}]" if ":" in where.place.host else where.place.host
    default = where.place.port == _DEFAULTS[where.scheme]
    return name if default else f"{name}:{where.place.port}"


def place_of(address: str) -> Place:
    """The place that an address of any kind lies at. Raises ValueError."""
    return target(address, ("https", "http", "mllps", "mllp")).place
