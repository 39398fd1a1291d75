"""Receivers not written here: two MLLP servers, each remembering what it was sent, in threads."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hl7
from hl7.mllp import start_hl7_server
from hl7apy.mllp import AbstractErrorHandler, AbstractHandler, MLLPServer
from hl7apy.parser import parse_message

from api.outbound.allowlist import HostPort

Taken = list[str]


@contextmanager
def python_hl7(verdict: Callable[[str], str] = lambda _: "AA") -> Iterator[tuple[HostPort, Taken]]:
    """The server of the package `hl7`, and the messages that it took."""
    taken: Taken = []
    loop = asyncio.new_event_loop()
    begun: threading.Event = threading.Event()
    port: list[int] = []
    stop = asyncio.Event()

    async def one(reader: Any, writer: Any) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                taken.append(str(message))
                writer.writemessage(message.create_ack(verdict(str(message))))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def serve() -> None:
        server = await start_hl7_server(one, "127.0.0.1", 0, limit=2**24, encoding="utf-8")
        port.append(server.sockets[0].getsockname()[1])
        begun.set()
        async with server:
            await stop.wait()
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    begun.wait(10)
    try:
        yield HostPort("127.0.0.1", port[0]), taken
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@contextmanager
def hl7apy_server() -> Iterator[tuple[HostPort, Taken]]:
    """The server of the package `hl7apy`, which parses what it takes."""
    taken: Taken = []

    class Taking(AbstractHandler):
        def reply(self) -> str:
            taken.append(self.incoming_message)
            parse_message(self.incoming_message)
            return f"\x0b{hl7.parse(self.incoming_message).create_ack('AA')}\x1c\r"

    class Failing(AbstractErrorHandler):
        def reply(self) -> str:
            taken.append(f"failed: {self.exc}")
            return ""

    kinds = ("ORU^R01^ORU_R01", "MDM^T02^MDM_T02", "MDM^T10^MDM_T02", "MDM^T11^MDM_T01")
    handlers: dict[str, Any] = dict.fromkeys(kinds, (Taking,)) | {"ERR": (Failing,)}
    server = MLLPServer("127.0.0.1", 0, handlers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield HostPort("127.0.0.1", server.server_address[1]), taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
