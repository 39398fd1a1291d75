"""Runs the commands of the SMART guide, in order, against a real server."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.builders import build_store_settings
from support.processes import issue_first_token, serving

GUIDE = Path(__file__).parents[2] / "docs" / "smart.md"
MISSING = [program for program in ("curl", "openssl") if shutil.which(program) is None]


@pytest.mark.skipif(bool(MISSING), reason=f"missing: apt install {' '.join(MISSING)}")
def test_every_command_of_the_guide_does_what_it_says(tmp_path):
    commands = re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(commands) == 3
    settings = build_store_settings(tmp_path)
    token = issue_first_token(settings)
    first = json.loads((tmp_path / "first-client.json").read_text())
    with serving(settings) as server:
        process = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
            env=os.environ
            | {"BASE": f"{server.address}/fhir", "TOKEN": token, "CLIENT": first["client_id"]},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-2000:]
    token = json.loads((tmp_path / "token.json").read_text())
    assert token["scope"] == "system/QuestionnaireResponse.crs system/Observation.read"
