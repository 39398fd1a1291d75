"""Rates: how often a call completes in a second, and a server under load answers in a second."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from time import perf_counter, process_time

from bench.cpu import read_cpu_seconds
from bench.figures import Sample, Side
from bench.service import RunningService


def repeat(run: Callable[[], object], seconds: float, size: int = 1) -> Side:
    """Return a function that measures how many things a second a call does, `size` at once."""

    def measure() -> Sample:
        start, cpu_before, count = perf_counter(), process_time(), 0
        while not count or perf_counter() - start < seconds:
            run()
            count += size
        cpu_ms = (process_time() - cpu_before) * 1000 / count
        return Sample(count / (perf_counter() - start), cpu_ms)

    return measure


def measure_load(
    service: RunningService, request: bytes, *, clients: int, seconds: float, status: int = 200
) -> Sample:
    """Return answers a second to the same request over a few kept connections."""
    cpu_before = read_cpu_seconds(service.pid)
    count, took = asyncio.run(_send_until(service.port, request, clients, seconds, status))
    return Sample(count / took, (read_cpu_seconds(service.pid) - cpu_before) * 1000 / count)


async def exchange(reader: StreamReader, writer: StreamWriter, request: bytes, status: int) -> None:
    """Send a request and read the answer. Raises RuntimeError for one of another status."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 %d" % status):
        raise RuntimeError(head.decode())
    lines = head.lower().split(b"\r\n")
    length = next(line for line in lines if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))


async def _send_until(
    port: int, request: bytes, clients: int, seconds: float, status: int
) -> tuple[int, float]:
    start = perf_counter()
    until = start + seconds
    counts = await asyncio.gather(
        *(_count_answers(port, request, until, status) for _ in range(clients))
    )
    return sum(counts), perf_counter() - start


async def _count_answers(port: int, request: bytes, until: float, status: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while perf_counter() < until:
        await exchange(reader, writer, request, status)
        count += 1
    writer.close()
    await writer.wait_closed()
    return count
