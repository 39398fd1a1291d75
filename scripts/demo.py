"""The main job from end to end: a service, a token, an intake over HTTP, a table, a report."""

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from api.table import print_assessment
from schemas.assessment import Assessment

ROOT = Path(__file__).parent.parent
INTAKE = ROOT / "api" / "examples" / "widespread_pain.json"
OUT = ROOT / "demo"
PROGRAM = [str(Path(sys.executable).with_name("nociscreen"))]


def main() -> None:
    """Run it, and leave demo/assessment.json and demo/report.pdf behind."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "NOCISCREEN_KEY_FILE": f"{folder}/token-key.pem",
            "NOCISCREEN_TEST_ORGANISATION": "true",
        }
        token = subprocess.check_output([*PROGRAM, "token"], env=environment, text=True).strip()
        service = subprocess.Popen(
            [*PROGRAM, "serve", "--port", "0"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            address = _address(service)
            print(f"The service listens on {address}. The intake is {INTAKE.relative_to(ROOT)}.\n")
            body = _sent(f"{address}/v1/score", token)
            report = _sent(f"{address}/v1/score/report", token)
        finally:
            service.terminate()
            service.wait(timeout=10)
    (OUT / "assessment.json").write_text(json.dumps(json.loads(body), indent=2) + "\n")
    (OUT / "report.pdf").write_bytes(report)
    print_assessment(Assessment.model_validate_json(body))
    print(f"\nWritten: demo/assessment.json and demo/report.pdf ({len(report)} bytes).")


def _address(service: "subprocess.Popen[str]") -> str:
    """Where the service says that it listens."""
    for line in service.stdout or ():
        if found := re.search(r"http://\S+", line):
            return found.group()
    raise SystemExit("the service did not start")


def _sent(url: str, token: str) -> bytes:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data=INTAKE.read_bytes(), headers=headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - loopback
        return bytes(response.read())


if __name__ == "__main__":
    main()
