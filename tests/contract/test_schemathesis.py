"""Generated requests to a real server, over all operations, with every check on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(sys.executable).parent
EXAMPLES = os.environ.get("NOCISCREEN_FUZZ_EXAMPLES", "10")
SECONDS = os.environ.get("NOCISCREEN_FUZZ_SECONDS", "45")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """The address of a real server and a token that outlasts the test."""
    key = {"NOCISCREEN_KEY_FILE": str(tmp_path_factory.mktemp("key") / "key.pem")}
    environment = os.environ | key
    nociscreen = PROGRAMS / "nociscreen"
    token = subprocess.check_output(
        [nociscreen, "token", "--minutes", "15"], env=environment, text=True
    )
    with subprocess.Popen(
        [nociscreen, "serve", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield process.stdout.readline().split()[-1], token.strip()
        process.terminate()


@pytest.mark.parametrize("phases", ["examples,coverage", "fuzzing,stateful"])
def test_every_answer_keeps_the_contract(service, tmp_path, phases):
    address, token = service
    done = subprocess.run(
        [
            *(PROGRAMS / "st", "run", f"{address}/openapi.json"),
            *("--checks", "all", "--mode", "all", "--phases", phases),
            *("-n", EXAMPLES, "--seed", "1", "--max-time", SECONDS, "--no-color"),
            *("-H", f"Authorization: Bearer {token}"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout
    assert "Tested: 10" in done.stdout
