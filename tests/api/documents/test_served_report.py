"""A report from a served service: its processes are started, used and gone with it."""

import os
import signal
import urllib.request
from pathlib import Path

from support.builders import build_store_settings
from support.servers.processes import issue_first_token, serving

INTAKE = Path(__file__).parents[3] / "api" / "contract" / "examples" / "phq4.json"


def children(pid: int) -> list[int]:
    child_lists = [item.read_text() for item in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(item) for item in " ".join(child_lists).split()]


def test_a_served_report_is_made_in_a_process_that_ends_with_the_service(tmp_path):
    settings = build_store_settings(tmp_path)
    token = issue_first_token(settings)
    with serving(settings) as server:
        request = urllib.request.Request(  # noqa: S310 - our own
            f"{server.address}/v1/score/report.pdf",
            data=INTAKE.read_bytes(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        for _ in range(2):
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - as above
                assert response.read().startswith(b"%PDF-")
        (worker,) = children(server.process.pid)
        os.kill(worker, signal.SIGSTOP)  # it cannot notice that its input ended
        server.process.terminate()
        server.process.wait()
    assert not Path(f"/proc/{worker}").exists()
