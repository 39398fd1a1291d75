"""The server: uvicorn with httptools; whoever sends or reads too slowly or too much is cut off."""

import contextlib
import resource
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from api.http.uvicorn_protocol import connection
from api.settings import Settings

FILES_BESIDES = 512


class Server(uvicorn.Server):
    """Tells the port once connections are accepted."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then tell."""
        await super().startup(sockets)
        self._listening(self.servers[0].sockets[0].getsockname()[1])


def bound(host: str, port: int) -> list[socket.socket]:
    """Sockets on every address of the host, all on this port, or on one that is free for 0.

    Raises OSError where it is in use, not ours to take, or the host none of this machine. Each says
    that it speaks TCP: on others asyncio leaves Nagle's delay of 40 ms an answer.
    """
    sockets: list[socket.socket] = []
    with contextlib.ExitStack() as undone:
        for family, kind, _, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            made = undone.enter_context(socket.socket(family, kind, socket.IPPROTO_TCP))
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            taken = sockets[0].getsockname()[1] if sockets else port
            made.bind((address[0], taken, *address[2:]))
            sockets.append(made)
        undone.pop_all()
    return sockets


def address_of(host: str, listening: socket.socket) -> str:
    """The address by which this machine reaches what listens there."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 # nosec B104 - told apart, not bound
    name = f"[{name}]" if ":" in name and not name.startswith("[") else name
    return f"http://{name}:{listening.getsockname()[1]}"


def config(app: FastAPI, settings: Settings, host: str, port: int) -> uvicorn.Config:
    """How the application is served.

    uvicorn's own limit of concurrency answers in plain text and counts idle connections: `Edge`
    bounds requests, and `connection` bounds connections, instead.
    """
    _allow_files(settings.connections + FILES_BESIDES)
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=connection(settings, app.state.metrics),
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


def _allow_files(count: int) -> None:
    """Let the process open so many files, connections among them, where the system permits."""
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if most == resource.RLIM_INFINITY else min(count, most)
    if least != resource.RLIM_INFINITY and least < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
