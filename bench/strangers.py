"""`POST /v1/score` of one organisation while strangers drive the outgoing calls of the service.

Every host that the service calls is a tarpit: the identity provider and the JWK set say nothing,
the webhooks send one byte at a time.
"""

import asyncio
import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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

TURNS = 5
CALLS_PER_TURN = 300
STRANGERS = 24
DELIVERIES = 6
DRIP_SECONDS = 0.5
PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 15.0


class Measured(NamedTuple):
    """Calls a second, quiet and among strangers, and the ratio of the seconds at p95."""

    quiet_rate: float
    rate: float
    ratio: float


def measure_among_strangers() -> Measured:
    """Measure in turns, quiet and with strangers."""
    pairs = []
    with _serving() as (port, score, strangers):
        asyncio.run(_time_calls(port, score))
        for _ in range(TURNS):
            quiet = asyncio.run(_time_calls(port, score))
            with _running(port, strangers):
                pairs.append((quiet, asyncio.run(_time_calls(port, score))))
    ratios = [_p95(busy) / _p95(quiet) for quiet, busy in pairs]
    rates = [[len(turn) / sum(turn) for turn in side] for side in zip(*pairs, strict=True)]
    quiet_rate, rate = map(statistics.median, rates)
    return Measured(quiet_rate, rate, statistics.median(ratios))


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
def _running(port: int, build_call: Callable[[int], bytes]) -> Iterator[None]:
    """Let strangers call without end, each a second after the answer to its last call."""
    stopping = threading.Event()

    def call(number: int) -> None:
        request = build_call(number)
        while not stopping.is_set():
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
def _serving() -> Iterator[tuple[int, bytes, Callable[[int], bytes]]]:
    """A service whose hosts are tarpits: its port, the measured call, and those of strangers."""
    with tempfile.TemporaryDirectory() as folder, _tarpit() as tarpit, _tarpit(drips=True) as hook:
        environment = build_environment(folder) | {
            "NOCISCREEN_OIDC_ISSUER": f"http://127.0.0.1:{tarpit}",
            "NOCISCREEN_OIDC_CLIENT_ID": "nociscreen",
            "NOCISCREEN_TRUSTED_PROXIES": "127.0.0.1",
        }
        token = issue_token(environment)
        with start_service(environment) as (port, _):
            client = _add_strangers(environment, port, tarpit, hook)
            yield port, build_request("/v1/score", token, INTAKE), lambda n: _build_call(n, client)


def _add_strangers(environment: dict[str, str], port: int, tarpit: int, hook: int) -> str:
    """Add an organisation whose keys and webhooks are at the tarpits; return its client."""
    organisation = json.loads(run_command(environment, "admin", "organisation", "add", "X"))["id"]
    own = ("--organisation", organisation)
    for host in (tarpit, hook):
        run_command(environment, "admin", "allowed-host", "add", f"127.0.0.1:{host}", *own,
                    "--private")  # fmt: skip
    scopes = [word for scope in ("admin", "screenings:write", "deliveries:write")
              for word in ("--scope", scope)]  # fmt: skip
    new_client = json.loads(run_command(environment, "admin", "client", "add", "X", *own, *scopes))
    token = run_command(environment, "token", "--client", new_client["client_id"])

    def send(method: str, path: str, body: dict, status: int) -> dict:
        request = build_request(path, token, body).replace(b"POST", method.encode(), 1)
        return asyncio.run(_send(port, request, status))

    send("PUT", f"/v1/clients/{new_client['client_id']}/key-set",
         {"url": f"http://127.0.0.1:{tarpit}/jwks"}, 200)  # fmt: skip
    address = f"http://127.0.0.1:{hook}/"
    content = {"name": "X", "profile": "generic-webhook", "address": address}
    destination = send("POST", "/v1/destinations", content, 201)["id"]
    for number in range(DELIVERIES):
        intake = INTAKE | {"patient": {"reference": f"MRN-{number}"}}
        screening = send("POST", "/v1/screenings", intake, 201)["id"]
        send("POST", f"/v1/screenings/{screening}/deliveries", {"destination": destination}, 201)
    return new_client["client_id"]


async def _send(port: int, request: bytes, status: int) -> dict:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 %d" % status):
        raise RuntimeError(head.decode())
    length = next(line for line in head.lower().split(b"\r\n") if b"content-length" in line)
    answer = json.loads(await reader.readexactly(int(length.split(b":")[1])))
    writer.close()
    return answer


def _build_call(number: int, client: str) -> bytes:
    """A login at the provider, or a token request with a forged assertion."""
    peer = f"X-Forwarded-For: 192.0.2.{number}\r\n"
    if number % 2:
        return f"GET /sign-in/provider HTTP/1.1\r\nHost: localhost\r\n{peer}\r\n".encode()
    claims = {"iss": client, "sub": client, "aud": "nociscreen", "jti": str(uuid4()),
              "exp": int(time.time()) + 200}  # fmt: skip
    body = urlencode({
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": sign_token(claims, _FORGED_KEY, "JWT"),
    })  # fmt: skip
    return (
        f"POST /v1/oauth/token HTTP/1.1\r\nHost: localhost\r\n{peer}"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


_FORGED_KEY = generate_signing_key("ES384")


@contextmanager
def _tarpit(*, drips: bool = False) -> Iterator[int]:
    """Accept connections and never answer, or send one byte at a time; yield the port."""
    stopping = threading.Event()

    def hold(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while not stopping.wait(DRIP_SECONDS):
                if drips:
                    connection.sendall(b"H")

    def accept(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=hold, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        yield server.getsockname()[1]
        stopping.set()
