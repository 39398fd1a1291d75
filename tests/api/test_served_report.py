"""A report from a served service: its processes are started, used and gone with it."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("nociscreen"))
INTAKE = Path(__file__).parents[2] / "api" / "examples" / "phq4.json"


def children(pid: int) -> list[int]:
    listed = [each.read_text() for each in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(each) for each in " ".join(listed).split()]


def test_a_served_report_is_made_in_a_process_that_ends_with_the_service(tmp_path):
    settings = os.environ | {"NOCISCREEN_KEY_FILE": str(tmp_path / "key.pem")}
    token = subprocess.check_output([PROGRAM, "token"], env=settings, text=True).strip()
    with subprocess.Popen(
        [PROGRAM, "serve", "--port", "0"],
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as service:
        port = re.search(r":(\d+)\s*$", service.stdout.readline())[1]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/score/report.pdf",
            data=json.dumps(json.loads(INTAKE.read_bytes())).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            for _ in range(2):
                with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - as above
                    assert response.read().startswith(b"%PDF-")
            workers = children(service.pid)
        finally:
            service.terminate()
    assert len(workers) == 1
    for _ in range(100):
        if not Path(f"/proc/{workers[0]}").exists():
            return
        time.sleep(0.05)
    raise AssertionError("the worker outlived its service")
