"""A load on a loopback server: the same request over a few kept connections, answers counted."""

import asyncio
import time


def rate(
    port: int, request: bytes, *, connections: int, seconds: float, status: int = 200
) -> float:
    """Answers a second. Raises RuntimeError for one of another status."""
    return asyncio.run(_rate(port, request, connections, seconds, status))


async def _rate(port: int, request: bytes, connections: int, seconds: float, status: int) -> float:
    start = time.perf_counter()
    until = start + seconds
    counts = await asyncio.gather(
        *(_client(port, request, until, status) for _ in range(connections))
    )
    return sum(counts) / (time.perf_counter() - start)


async def _client(port: int, request: bytes, until: float, status: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 %d" % status):
            raise RuntimeError(head.decode())
        length = next(
            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        await reader.readexactly(int(length.split(b":")[1]))
        count += 1
    writer.close()
    await writer.wait_closed()
    return count
