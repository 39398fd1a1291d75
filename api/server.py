"""The server: uvicorn with httptools, with a deadline and a size for headers added."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.settings import Settings


class Server(uvicorn.Server):
    """Tells the port once connections are accepted.

    uvicorn makes the sockets itself: on those that it is handed, asyncio leaves Nagle's delay of
    40 ms an answer.
    """

    def __init__(self, config: uvicorn.Config, listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then tell."""
        await super().startup(sockets)
        self._listening(self.servers[0].sockets[0].getsockname()[1])


def config(app: FastAPI, settings: Settings, host: str, port: int) -> uvicorn.Config:
    """How the application is served."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=_protocol(settings),
        ws="none",
        lifespan="off",
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=5,
        limit_concurrency=512,
    )


_HEADERS_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


def _protocol(settings: Settings) -> type[HttpToolsProtocol]:  # noqa: C901 - one small class
    class DeadlineProtocol(HttpToolsProtocol):
        """Closes a connection whose headers come too slowly or grow too large."""

        _deadline: asyncio.TimerHandle | None = None
        _header_bytes = 0
        _tail = b""  # the end of headers may come in two pieces

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._await_headers()

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            if self._deadline is not None:
                seen = self._tail + data
                end = seen.find(b"\r\n\r\n")
                self._header_bytes += len(data) if end < 0 else end - len(self._tail)
                self._tail = seen[-3:]
                if self._header_bytes > settings.header_bytes:
                    self.transport.write(_HEADERS_TOO_LARGE)
                    self.transport.close()
                    return
            super().data_received(data)

        def on_headers_complete(self) -> None:
            self._stop_waiting()
            super().on_headers_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self.transport.is_closing():
                self._await_headers()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _await_headers(self) -> None:
            self._stop_waiting()
            self._header_bytes, self._tail = 0, b""
            self._deadline = self.loop.call_later(settings.header_seconds, self._give_up)

        def _stop_waiting(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _give_up(self) -> None:
            with contextlib.suppress(RuntimeError):
                self.transport.close()

    return DeadlineProtocol
