"""`POST /v1/score` of one organisation while strangers drive the outgoing calls of the service.

Each outgoing call has a tarpit of its own. Some say nothing, some send one byte at a time. The
measurement fails unless each tarpit held a connection while calls were measured.
"""

import asyncio
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import uuid4

from api.auth.client_authentication import ASSERTION_TYPE
from api.security.keys import generate_signing_key
from api.security.signatures import sign_token
from bench.load import exchange
from bench.service import (
    INTAKE,
    build_environment,
    build_request,
    issue_token,
    run_command,
    start_service,
)
from bench.stranger_hosts import (
    ISSUER,
    TOKEN,
    Strangers,
    add_strangers,
    build_settings,
    build_tarpits,
    enqueue_calls,
)
from bench.tarpits import observe_all

TURNS = 5
CALLS_PER_TURN = 300
STRANGERS = 24
PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 15.0


class Measured(NamedTuple):
    """Calls a second, quiet and among strangers, and the ratio of the seconds at p95."""

    quiet_rate: float
    rate: float
    ratio: float
    connections: dict[str, int]
    """How many connections each tarpit held while calls were measured, by its name."""


def measure_among_strangers() -> Measured:
    """Measure in turns, quiet and with strangers. Raises RuntimeError if a tarpit had no guest."""
    pairs = []
    with _serving() as (port, score, strangers):
        asyncio.run(_time_calls(port, score))
        for _ in range(TURNS):
            quiet = asyncio.run(_time_calls(port, score))
            with _running(port, strangers), observe_all(strangers.tarpits.values()):
                pairs.append((quiet, asyncio.run(_time_calls(port, score))))
        connections = {name: it.observed_count for name, it in strangers.tarpits.items()}
    if not all(connections.values()):
        raise RuntimeError(f"each tarpit must be reached: {connections}")
    ratios = [_p95(busy) / _p95(quiet) for quiet, busy in pairs]
    rates = [[len(turn) / sum(turn) for turn in side] for side in zip(*pairs, strict=True)]
    quiet_rate, rate = map(statistics.median, rates)
    return Measured(quiet_rate, rate, statistics.median(ratios), connections)


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


async def _time_calls(port: int, request: bytes) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    for _ in range(CALLS_PER_TURN):
        start = time.perf_counter()
        await exchange(reader, writer, request, 200)
        took.append(time.perf_counter() - start)
    writer.close()
    await writer.wait_closed()
    return took


@contextmanager
def _running(port: int, strangers: Strangers) -> Iterator[None]:
    """Let strangers call without end, each a second after the answer to its last call."""
    stopping = threading.Event()

    def call(number: int) -> None:
        while not stopping.is_set():
            request = _build_call(number, strangers)
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
                connection.settimeout(PATIENCE_SECONDS)
                connection.sendall(request)
                connection.recv(65536)
            stopping.wait(PAUSE_SECONDS)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(STRANGERS)]
    for thread in threads:
        thread.start()
    time.sleep(1)  # until the strangers wait for the tarpits
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


@contextmanager
def _serving() -> Iterator[tuple[int, bytes, Strangers]]:
    """A service whose hosts are tarpits: its port, the measured call, and the strangers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tarpits = build_tarpits()
        for tarpit in tarpits.values():
            stack.callback(tarpit.close)
        environment = build_environment(str(folder)) | build_settings(folder, tarpits)
        issue_token(environment)
        strangers = add_strangers(environment, folder, tarpits)
        port, _ = stack.enter_context(start_service(environment))
        enqueue_calls(environment, port, strangers)
        token = run_command(environment, *TOKEN)
        yield port, build_request("/v1/score", token, INTAKE), strangers


def _build_call(number: int, strangers: Strangers) -> bytes:
    """A login at the provider, a launch, a forged token or a request with a forged assertion."""
    peer = f"Host: localhost\r\nX-Forwarded-For: 192.0.2.{number}\r\n"
    now = int(time.time())
    claims = {"aud": "X", "iat": now, "exp": now + 200, "jti": str(uuid4()), "scope": "score"}
    match number % 4:
        case 0:
            return f"GET /sign-in/provider HTTP/1.1\r\n{peer}\r\n".encode()
        case 1:
            query = urlencode({"iss": strangers.address("EHR that launches"), "launch": "1"})
            return f"GET /launch?{query} HTTP/1.1\r\n{peer}\r\n".encode()
        case 2:
            token = sign_token(claims | {"iss": ISSUER, "sub": "x"}, _FORGED_KEY, "at+jwt")
            return (
                f"GET /v1/organisation HTTP/1.1\r\n{peer}Authorization: Bearer {token}\r\n\r\n"
            ).encode()
    client = {"iss": strangers.client, "sub": strangers.client, "aud": "nociscreen"}
    body = urlencode({
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": sign_token(claims | client, _FORGED_KEY, "JWT"),
    })  # fmt: skip
    return (
        f"POST /v1/oauth/token HTTP/1.1\r\n{peer}"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


_FORGED_KEY = generate_signing_key("ES384")
