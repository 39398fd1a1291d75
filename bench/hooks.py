"""CDS Hooks under load: sixteen EHRs ask for cards at once, each call with a token of its own."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from api.security.keys import generate_signing_key
from api.security.signatures import sign_token

ROOT = Path(__file__).parents[1]
ISSUER = "https://ehr.example"
PATH = "/cds-services/nociplastic"
AT_ONCE = 16
CALLS = 50


def seconds_at_p95(port: int) -> tuple[float, float]:
    """Cards a second, and the seconds within which 95 of 100 were answered."""
    with _serving(port) as key:
        requests = [_request(port, key) for _ in range(AT_ONCE * CALLS)]
        start = time.perf_counter()
        took = asyncio.run(_all(port, requests))
        total_seconds = time.perf_counter() - start
    return len(took) / total_seconds, statistics.quantiles(took, n=20)[-1]


@contextmanager
def _serving(port: int) -> Iterator[object]:
    """A service with an EHR and a screening of its patient."""
    key = generate_signing_key("ES384")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = os.environ | {
            "NOCISCREEN_DATABASE_FILE": f"{folder}/nociscreen.db",
            "NOCISCREEN_KEY_RING_FILE": f"{folder}/key-ring",
            "NOCISCREEN_FIRST_CLIENT_FILE": f"{folder}/client.json",
            "NOCISCREEN_CLIENT_REQUESTS_PER_MINUTE": "1000000",
            "NOCISCREEN_PUBLIC_URL": f"http://127.0.0.1:{port}",
        }
        environment.pop("DATABASE_URL", None)
        program = str(Path(sys.executable).with_name("nociscreen"))

        def run(*words: str) -> str:
            return subprocess.check_output(
                [program, *words], env=environment, text=True, stderr=subprocess.DEVNULL
            )

        token = run("token").strip()
        organisation = json.loads((folder / "client.json").read_text())["organisation"]
        terms = {"keys": [key.to_public_jwk()], "scopes": ["screenings:read"]}
        (folder / "ehr.json").write_text(json.dumps(terms))
        run("admin", "issuer", "add", ISSUER, f"{folder}/ehr.json", "--hooks",
            "--organisation", organisation)  # fmt: skip
        server = subprocess.Popen(
            [program, "serve", "--port", str(port)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            server.stdout.readline()
            asyncio.run(_keep(port, token))
            yield key
        finally:
            server.terminate()
            server.wait()


async def _keep(port: int, token: str) -> None:
    body = json.loads((ROOT / "api" / "contract" / "examples" / "widespread_pain.json").read_text())
    body["patient"] = {"reference": "MRN-0042", "system": "urn:oid:1.2.3"}
    request = _http(port, "/v1/screenings", token, body)
    async with asyncio.timeout(30):
        await _send_all(port, [request], b"201")


def _request(port: int, key: object) -> bytes:
    now = int(time.time())
    address = f"http://127.0.0.1:{port}{PATH}"
    claims = {"iss": ISSUER, "aud": address, "iat": now, "exp": now + 300, "jti": str(uuid4())}
    patient = {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"system": "urn:oid:1.2.3", "value": "MRN-0042"}],
    }
    hook = {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/1", "patientId": "p1"},
        "prefetch": {"patient": patient},
    }
    return _http(port, PATH, sign_token(claims, key, "JWT"), hook)


def _http(port: int, path: str, token: str, body: dict) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def _all(port: int, requests: list[bytes]) -> list[float]:
    parts = [requests[number::AT_ONCE] for number in range(AT_ONCE)]
    took = await asyncio.gather(*(_send_all(port, part, b"200") for part in parts))
    return [seconds for part in took for seconds in part]


async def _send_all(port: int, requests: list[bytes], status: bytes) -> list[float]:
    """The seconds that each took, one after the other. Raises RuntimeError for another status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    for request in requests:
        start = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 " + status):
            raise RuntimeError(head.decode())
        lines = head.lower().split(b"\r\n")
        length = next(line for line in lines if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        took.append(time.perf_counter() - start)
    writer.close()
    await writer.wait_closed()
    return took
