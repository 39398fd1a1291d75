"""CDS Hooks under load: sixteen EHRs ask for cards at once, each call with a token of its own."""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from api.security.keys import generate_signing_key
from api.security.signatures import sign_token
from bench.cpu import read_cpu_seconds
from bench.figures import Figure
from bench.load import exchange
from bench.service import (
    INTAKE,
    build_environment,
    build_request,
    issue_token,
    run_command,
    start_service,
)

ISSUER = "https://ehr.example"
PATH = "/cds-services/nociplastic"
AT_ONCE = 16
CALLS = 60
WARM_UP = 10
GOAL = 0.06


def measure_hooks(port: int) -> Figure:
    """Return cards a second, CPU of each, and the seconds within which 95 of 100 were answered."""
    with _serving(port) as (key, pid):
        requests = [_request(port, key) for _ in range(AT_ONCE * CALLS)]
        asyncio.run(_all(port, requests[: AT_ONCE * WARM_UP]))
        cpu_before, start = read_cpu_seconds(pid), time.perf_counter()
        took = asyncio.run(_all(port, requests[AT_ONCE * WARM_UP :]))
        total_seconds = time.perf_counter() - start
        cpu_ms = (read_cpu_seconds(pid) - cpu_before) * 1000 / len(took)
    seconds = statistics.quantiles(took, n=20)[-1]
    what = "CDS Hooks, 16 at once: seconds at p95, at most"
    return Figure(what, len(took) / total_seconds, 0, cpu_ms, seconds, GOAL, at_most=True)


@contextmanager
def _serving(port: int) -> Iterator[tuple[object, int]]:
    """Run a service with an EHR and a screening; yield the key of the EHR and the process."""
    key = generate_signing_key("ES384")
    with tempfile.TemporaryDirectory() as folder:
        environment = build_environment(folder)
        environment["NOCISCREEN_PUBLIC_URL"] = f"http://127.0.0.1:{port}"
        token = issue_token(environment)
        organisation = json.loads(Path(folder, "client.json").read_text())["organisation"]
        terms = {"keys": [key.to_public_jwk()], "scopes": ["screenings:read"]}
        Path(folder, "ehr.json").write_text(json.dumps(terms))
        run_command(environment, "admin", "issuer", "add", ISSUER, f"{folder}/ehr.json", "--hooks",
                    "--organisation", organisation)  # fmt: skip
        intake = INTAKE | {"patient": {"reference": "MRN-0042", "system": "urn:oid:1.2.3"}}
        with start_service(environment, port) as service:
            request = build_request("/v1/screenings", token, intake)
            asyncio.run(_send_all(port, [request], 201))
            yield key, service.pid


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
    return build_request(PATH, sign_token(claims, key, "JWT"), hook)


async def _all(port: int, requests: list[bytes]) -> list[float]:
    parts = [requests[number::AT_ONCE] for number in range(AT_ONCE)]
    took = await asyncio.gather(*(_send_all(port, part, 200) for part in parts))
    return [seconds for part in took for seconds in part]


async def _send_all(port: int, requests: list[bytes], status: int) -> list[float]:
    """The seconds that each took, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    for request in requests:
        start = time.perf_counter()
        await exchange(reader, writer, request, status)
        took.append(time.perf_counter() - start)
    writer.close()
    await writer.wait_closed()
    return took
