"""Runs the commands of the FHIR guide, in order, against a real server."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.builders import build_store_settings
from support.processes import issue_first_token, serving

GUIDE = Path(__file__).parents[2] / "docs" / "fhir.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing: apt install curl")
def test_every_command_of_the_guide_does_what_it_says(tmp_path):
    commands = re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(commands) == 10
    settings = build_store_settings(tmp_path)
    token = issue_first_token(settings)
    with serving(settings) as server:
        process = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
            env=os.environ | {"BASE": f"{server.address}/fhir", "TOKEN": token},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-2000:]
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    transaction = json.loads((tmp_path / "transaction.json").read_text())
    assert (transaction["resourceType"], transaction["type"]) == ("Bundle", "transaction")
