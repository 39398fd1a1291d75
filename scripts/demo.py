"""Runs the main job from end to end: starts a service, stores an intake, fetches its report."""

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

from api.cli.assessment_table import print_assessment
from schemas.assessments.assessment import Assessment

ROOT = Path(__file__).parent.parent
INTAKE = ROOT / "api" / "contract" / "examples" / "core_form.json"
OUT = ROOT / "demo"
PATIENT = {"reference": "DEMO-0001", "name": "Ada Example", "birth_date": "1982-05-01"}
PROGRAM = [str(Path(sys.executable).with_name("nociscreen"))]


def main() -> None:
    """Write demo/assessment.json and demo/report.pdf, and print the assessment."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        client = Path(folder) / "client.json"
        environment = os.environ | {
            "NOCISCREEN_DATABASE_FILE": f"{folder}/nociscreen.db",
            "NOCISCREEN_KEY_RING_FILE": f"{folder}/key-ring",
            "NOCISCREEN_FIRST_CLIENT_FILE": str(client),
        }
        environment.pop("DATABASE_URL", None)
        run_program(environment, "admin", "first", "--test")
        service = subprocess.Popen(
            [*PROGRAM, "serve", "--port", "0"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            address = read_address(service)
            print(f"The service listens on {address}. The intake is {INTAKE.relative_to(ROOT)}.\n")
            token = _request_token(f"{address}/v1/oauth/token", json.loads(client.read_text()))
            intake = json.loads(INTAKE.read_bytes()) | {"patient": PATIENT}
            response = _send(f"{address}/v1/screenings", token, json.dumps(intake).encode())
            screening = json.loads(response)
            report = _send(address + screening["links"]["report"], token)
        finally:
            service.terminate()
            service.wait(timeout=10)
        run_program(environment, "audit", "verify")
    assessment = json.dumps(screening["assessment"], indent=2)
    (OUT / "assessment.json").write_text(assessment + "\n")
    (OUT / "report.pdf").write_bytes(report)
    print_assessment(Assessment.model_validate_json(assessment))
    print(f"\nWritten: demo/assessment.json and demo/report.pdf ({len(report)} bytes).")


def run_program(environment: dict[str, str], *words: str) -> None:
    """Run a command, and print its output only if it fails."""
    completed = subprocess.run(
        [*PROGRAM, *words], env=environment, capture_output=True, text=True, check=False
    )
    if completed.returncode:
        raise SystemExit(completed.stdout + completed.stderr)


def read_address(service: "subprocess.Popen[str]") -> str:
    """Return the address that a starting service prints."""
    for line in service.stdout or ():
        if match := re.search(r"http://\S+", line):
            return match.group()
    raise SystemExit("the service did not start")


def _request_token(url: str, client: dict[str, str]) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
    }
    with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), timeout=60) as response:  # noqa: S310 - loopback
        return str(json.loads(response.read())["access_token"])


def _send(url: str, token: str, body: bytes | None = None) -> bytes:
    """Send a POST with this body, or a GET without one, and return the response body."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - loopback
        return bytes(response.read())


if __name__ == "__main__":
    main()
