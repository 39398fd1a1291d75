"""`POST /v1/score` of one organisation while strangers drive the outgoing calls of the service.

Every host that the service calls is a tarpit: the identity provider, the JWK sets of a client and
of an issuer, the mail server and the MLLP receiver say nothing; the webhook, the FHIR server and
the SMS gateway send one byte at a time. A batch enqueues deliveries for the webhook.
"""

import asyncio
import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import uuid4

from api.auth.client_authentication import ASSERTION_TYPE
from api.security.keys import generate_signing_key
from api.security.scopes import SCOPES
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
ROWS = 200
ISSUER = "https://issuer.example"
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
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        silent, mail, mllp = (stack.enter_context(_tarpit()) for _ in range(3))
        hook, fhir, sms = (stack.enter_context(_tarpit(drips=True)) for _ in range(3))
        gateway = folder / "gateway.toml"
        gateway.write_text(
            f'url = "http://127.0.0.1:{sms}/"\nprivate_network = true\n'
            'body = \'{"to": "{to}", "text": "{text}"}\'\n'
        )
        environment = build_environment(str(folder)) | {
            "NOCISCREEN_OIDC_ISSUER": f"http://127.0.0.1:{silent}",
            "NOCISCREEN_OIDC_CLIENT_ID": "nociscreen",
            "NOCISCREEN_TRUSTED_PROXIES": "127.0.0.1",
            "NOCISCREEN_SMTP_HOST": "127.0.0.1",
            "NOCISCREEN_SMTP_PORT": str(mail),
            "NOCISCREEN_SMTP_TLS": "none",
            "NOCISCREEN_SMTP_SENDER": "desk@clinic.example",
            "NOCISCREEN_SMS_GATEWAY_FILE": str(gateway),
        }
        token = issue_token(environment)
        strangers = _add_strangers(environment, folder, silent, (hook, fhir, mllp))
        port, _ = stack.enter_context(start_service(environment))
        _enqueue(environment, port, strangers)
        score = build_request("/v1/score", token, INTAKE)
        yield port, score, lambda number: _build_call(number, strangers)


class _Strangers(NamedTuple):
    """An organisation whose hosts are tarpits: its client and the addresses of its receivers."""

    organisation: str
    client: str
    key_set_url: str
    receivers: dict[str, str]
    """Addresses by the name of their profile."""


def _add_strangers(
    environment: dict[str, str], folder: Path, silent: int, receivers: tuple[int, int, int]
) -> _Strangers:
    organisation = json.loads(run_command(environment, "admin", "organisation", "add", "X"))["id"]
    own = ("--organisation", organisation)
    for port in (silent, *receivers):
        run_command(environment, "admin", "allowed-host", "add", f"127.0.0.1:{port}", *own,
                    "--private")  # fmt: skip
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    new_client = json.loads(run_command(environment, "admin", "client", "add", "X", *own, *scopes))
    url = f"http://127.0.0.1:{silent}/jwks"
    terms = folder / "terms.json"
    terms.write_text(json.dumps({"key_set_url": url, "scopes": ["score"]}))
    run_command(environment, "admin", "issuer", "add", ISSUER, str(terms), *own, "--audience", "X")
    hook, fhir, mllp = receivers
    return _Strangers(organisation, new_client["client_id"], url, {
        "generic-webhook": f"http://127.0.0.1:{hook}/",
        "generic-fhir": f"http://127.0.0.1:{fhir}/fhir",
        "generic-v2": f"mllp://127.0.0.1:{mllp}",
    })  # fmt: skip


def _enqueue(environment: dict[str, str], port: int, strangers: _Strangers) -> None:
    """Have deliveries, those of a batch among them, e-mails and text messages under way."""
    token = run_command(environment, "token", "--client", strangers.client)

    def send(path: str, body: dict | bytes, method: str = "POST") -> dict:
        kind = "application/json" if isinstance(body, dict) else "text/csv"
        request = build_request(path, token, body, kind).replace(b"POST", method.encode(), 1)
        return asyncio.run(_send(port, request))

    send(f"/v1/clients/{strangers.client}/key-set", {"url": strangers.key_set_url}, "PUT")
    destinations = [
        send("/v1/destinations", {"name": name, "profile": name, "address": address})["id"]
        for name, address in strangers.receivers.items()
    ]
    for number in range(DELIVERIES):
        patient = {"reference": f"MRN-{number}"}
        screening = send("/v1/screenings", INTAKE | {"patient": patient})["id"]
        for destination in destinations:
            send(f"/v1/screenings/{screening}/deliveries", {"destination": destination})
        for recipient in ({"medium": "email", "address": f"p{number}@x.example"},
                          {"medium": "sms", "address": f"+44770090012{number}"}):  # fmt: skip
            send("/v1/links", {"patient": patient, "send_to": recipient})
    rows = b"patient_reference,age_years\n" + b"MRN-9,44\n" * ROWS
    batch = send("/v1/batches", rows)
    while send(batch["links"]["self"], {}, "GET")["state"] != "done":
        time.sleep(0.2)
    send(batch["links"]["reports"], {"destination": destinations[0]})


async def _send(port: int, request: bytes) -> dict:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 20"):
        raise RuntimeError(head.decode())
    length = next(line for line in head.lower().split(b"\r\n") if b"content-length" in line)
    answer = json.loads(await reader.readexactly(int(length.split(b":")[1])))
    writer.close()
    return answer


def _build_call(number: int, strangers: _Strangers) -> bytes:
    """A login at the provider, a token request with a forged assertion, or a forged token."""
    peer = f"Host: localhost\r\nX-Forwarded-For: 192.0.2.{number}\r\n"
    if number % 3 == 0:
        return f"GET /sign-in/provider HTTP/1.1\r\n{peer}\r\n".encode()
    now = int(time.time())
    claims = {"aud": "X", "iat": now, "exp": now + 200, "jti": str(uuid4()), "scope": "score"}
    if number % 3 == 1:
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
