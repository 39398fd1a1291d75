"""Two independent MLLP servers in threads, each recording the messages it accepts."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hl7
from hl7.mllp import start_hl7_server
from hl7apy.mllp import AbstractErrorHandler, AbstractHandler, MLLPRequestHandler, MLLPServer
from hl7apy.parser import parse_message

from api.outbound.allowlist import HostPort

Messages = list[str]


@contextmanager
def running_hl7_server(
    choose_code: Callable[[str], str] = lambda _: "AA",
) -> Iterator[tuple[HostPort, Messages]]:
    """Run the server of the package `hl7`; `choose_code` returns the code of each response."""
    messages: Messages = []
    loop = asyncio.new_event_loop()
    is_listening = threading.Event()
    port: list[int] = []
    stop = asyncio.Event()

    async def serve_connection(reader: Any, writer: Any) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                messages.append(str(message))
                writer.writemessage(message.create_ack(choose_code(str(message))))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def serve() -> None:
        server = await start_hl7_server(
            serve_connection, "127.0.0.1", 0, limit=2**24, encoding="utf-8"
        )
        port.append(server.sockets[0].getsockname()[1])
        is_listening.set()
        async with server:
            await stop.wait()
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    is_listening.wait(10)
    try:
        yield HostPort("127.0.0.1", port[0]), messages
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


class BufferedRequestHandler(MLLPRequestHandler):  # type: ignore[misc]
    """The handler of `hl7apy`, but it reads a frame whole.

    Its own appends byte by byte to one string, which takes seconds for a report.
    """

    def handle(self) -> None:
        frame = bytearray()
        while not frame.endswith(self.eb + self.cr):
            chunk = self.request.recv(65536)
            if not chunk:
                return
            frame += chunk
        message = self._extract_hl7_message(frame.decode(self.encoding))
        self.wfile.write(self._route_message(message).encode(self.encoding))


@contextmanager
def running_hl7apy_server() -> Iterator[tuple[HostPort, Messages]]:
    """Run the server of the package `hl7apy`, which parses each message."""
    messages: Messages = []

    class MessageHandler(AbstractHandler):
        def reply(self) -> str:
            messages.append(self.incoming_message)
            parse_message(self.incoming_message)
            return f"\x0b{hl7.parse(self.incoming_message).create_ack('AA')}\x1c\r"

    class ErrorHandler(AbstractErrorHandler):
        def reply(self) -> str:
            messages.append(f"failed: {self.exc}")
            return ""

    types = ("ORU^R01^ORU_R01", "MDM^T02^MDM_T02", "MDM^T10^MDM_T02", "MDM^T11^MDM_T01")
    handlers: dict[str, Any] = dict.fromkeys(types, (MessageHandler,)) | {"ERR": (ErrorHandler,)}
    server = MLLPServer("127.0.0.1", 0, handlers, request_handler_class=BufferedRequestHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield HostPort("127.0.0.1", server.server_address[1]), messages
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
