"""`make endurance`: memory of a service under its highest load.

Sixteen clients ask as fast as they are answered, for ten minutes or as many seconds as the first
argument says: half of them store screenings, the others score, list and draw reports. Printed are
answers a second and the memory of all its processes for each half minute, and how much it grew
from the second fifth of the time, when every cache is filled, to the last.
"""

import asyncio
import statistics
import sys
import tempfile
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from bench.load import exchange
from bench.service import (
    INTAKE,
    PROGRAM,
    build_environment,
    build_request,
    issue_token,
    start_server,
)

SECONDS = 600.0
SAMPLE_SECONDS = 30.0
TOKEN_MINUTES = "15"
PATIENT = {"patient": {"reference": "MRN-1"}}


async def main(seconds: float) -> None:
    """Load a service and print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        environment = build_environment(folder)
        token = issue_token(environment, "--minutes", TOKEN_MINUTES)
        with start_server([PROGRAM, "serve", "--port", "0"], environment) as server:
            port = int(server.stdout.readline().rsplit(":", 1)[1])
            print_samples(await measure(port, server.pid, token, seconds))


async def measure(port: int, pid: int, token: str, seconds: float) -> list[tuple[float, int]]:
    """Return answers a second and bytes of memory for each sample."""
    counts = [0]
    until = perf_counter() + seconds
    store = build_request("/v1/screenings", token, INTAKE | PATIENT)
    score = build_request("/v1/score", token, INTAKE)
    listing = f"GET /v1/screenings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    report = build_request("/v1/score/report.pdf", token, INTAKE)
    calls = (
        [(store, 201)] * 8 + [(score, 200)] * 5 + [(listing.encode(), 200)] * 2 + [(report, 200)]
    )
    clients = [asyncio.create_task(ask_until(until, port, *call, counts)) for call in calls]
    samples: list[tuple[float, int]] = []
    while perf_counter() < until:
        before, start = counts[0], perf_counter()
        await asyncio.sleep(min(SAMPLE_SECONDS, seconds / 10))
        samples.append(((counts[0] - before) / (perf_counter() - start), read_memory(pid)))
    await asyncio.gather(*clients)
    return samples


async def ask_until(
    until: float, port: int, request: bytes, status: int, counts: list[int]
) -> None:
    """Repeat one request over one connection."""
    connection: tuple[StreamReader, StreamWriter] = await asyncio.open_connection("127.0.0.1", port)
    while perf_counter() < until:
        await exchange(*connection, request, status)
        counts[0] += 1
    connection[1].close()
    await connection[1].wait_closed()


def read_memory(pid: int) -> int:
    """Return the resident bytes of a process and of its children."""
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [child for task in tasks for child in task.read_text().split()]
    return int(kilobytes) * 1024 + sum(read_memory(int(child)) for child in children)


def print_samples(samples: list[tuple[float, int]]) -> None:
    """Print each sample, and how much memory grew."""
    table = Table("sample", "answers /s", "MB")
    for number, (rate, size) in enumerate(samples, 1):
        table.add_row(str(number), f"{rate:,.0f}", f"{size / 1e6:,.0f}")
    fifth = max(1, len(samples) // 5)
    early, late = (
        statistics.median(size for _, size in part)
        for part in (samples[fifth : 2 * fifth], samples[-fifth:])
    )
    console = Console()
    console.print(table)
    console.print(f"memory, last fifth against second: {late / early:.3f}")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if sys.argv[1:] else SECONDS))
