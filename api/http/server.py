"""Configures uvicorn, its listening sockets and its limits."""

import contextlib
import resource
import socket
from collections.abc import Callable, Sequence

import uvicorn
from fastapi import FastAPI

from api.http.uvicorn_protocol import build_protocol_class
from api.observability.metrics import Metrics
from api.settings import Settings

RESERVED_FILES = 512
Listeners = list[socket.socket]
"""The listening sockets of one server, of which the first has its port."""


class HttpServer(uvicorn.Server):
    """A uvicorn server that calls `listening` with its port once it accepts connections."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then report the port."""
        await super().startup(sockets)
        self._listening(self.servers[0].sockets[0].getsockname()[1])


def bind_sockets(host: str, port: int) -> Listeners:
    """Return sockets bound to every address of the host, on this port; 0 chooses a free one.

    Raises OSError if the port is in use or reserved, or the host is not of this machine. Each
    socket names TCP as its protocol: otherwise asyncio leaves Nagle's algorithm on, which delays
    responses by 40 ms.
    """
    sockets: list[socket.socket] = []
    with contextlib.ExitStack() as sockets_to_close:
        for family, kind, _, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            unbound = socket.socket(family, kind, socket.IPPROTO_TCP)
            listener = sockets_to_close.enter_context(unbound)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            chosen_port = sockets[0].getsockname()[1] if sockets else port
            listener.bind((address[0], chosen_port, *address[2:]))
            sockets.append(listener)
        sockets_to_close.pop_all()
    return sockets


def adopt_sockets(descriptors: Sequence[int]) -> Listeners:
    """Return the listening sockets that another process bound. Raises OSError."""
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def build_base_url(host: str, listener: socket.socket) -> str:
    """Return the URL at which this machine reaches the listening socket."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 # nosec B104 - compared, not bound
    name = f"[{name}]" if ":" in name and not name.startswith("[") else name
    return f"http://{name}:{listener.getsockname()[1]}"


def build_server_config(
    app: FastAPI, settings: Settings, metrics: Metrics, host: str, port: int
) -> uvicorn.Config:
    """Return the uvicorn configuration of the application.

    uvicorn's `limit_concurrency` stays off: it answers in plain text and counts idle connections.
    The middleware limits requests and the protocol limits connections.
    """
    _raise_file_limit(settings.max_connections + RESERVED_FILES)
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=build_protocol_class(settings, metrics),
        ws="none",
        lifespan="on",
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        access_log=False,
        log_config=None,
        log_level="warning",
        timeout_keep_alive=5,
        limit_concurrency=None,
    )


def _raise_file_limit(count: int) -> None:
    """Raise the limit on open files, which include connections, as far as the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < target:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
