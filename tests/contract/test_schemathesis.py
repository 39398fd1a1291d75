"""Generated requests to a real server, over all operations, with every check on.

The everyday suite covers the constraints of one operation in five and generates requests for one in
two, each time the same ones; the examples and the sequences cover all, and so does `make full`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import pytest
from support.builders import build_store_settings
from support.sample import IS_SAMPLE
from support.servers.processes import issue_first_token, serving

HERE = Path(__file__).parent
ST = Path(sys.executable).with_name("st")
EXAMPLES = os.environ.get("TEST_FUZZ_EXAMPLES", "3")
SECONDS = os.environ.get("TEST_FUZZ_SECONDS")
CONTRACT = HERE.parents[1] / "openapi"
DOCUMENT = json.loads((CONTRACT / "openapi.json").read_text())
KNOWN_TO_HOOKS = {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)}
OPERATIONS = [
    operation["operationId"]
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
]
SHARE = {"coverage": 5, "fuzzing": 2}
"""In the everyday suite, a phase covers one operation in so many."""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A real server's address, a token that outlasts the test and whose it is, and its log."""
    settings = build_store_settings(tmp_path_factory.mktemp("fuzzed"))
    log = settings.database_file.with_name("log")
    token = issue_first_token(settings)
    with serving(settings, log, NOCISCREEN_CLIENT_REQUESTS_PER_MINUTE="1000000") as server:
        file = settings.database_file.with_name("first-client.json")
        yield server.address, token, json.loads(file.read_text())["client_id"], log


@pytest.mark.parametrize("phase", ["coverage", "examples", "fuzzing", "stateful"])
def test_every_answer_keeps_the_contract(service, tmp_path, phase):
    address, token, own, log = service
    share = SHARE.get(phase, 1) if IS_SAMPLE else 1
    operations = [name for name in OPERATIONS if crc32(name.encode()) % share == 0]
    process = subprocess.run(
        [
            *(ST, "--config-file", CONTRACT / "schemathesis.toml"),
            *("run", f"{address}/openapi.json"),
            *("--include-operation-id-regex", f"^({'|'.join(operations)})$"),
            *("--checks", "all", "--mode", "all", "--phases", phase),
            *("-n", EXAMPLES, "--seed", "1", "--no-color"),
            *(("--max-time", SECONDS) if SECONDS and phase == "stateful" else ()),
            *("-H", f"Authorization: Bearer {token}"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | KNOWN_TO_HOOKS | {"NOCISCREEN_FUZZ_CLIENT": own},
        check=False,
        timeout=900,
    )
    failed = [line for line in log.read_text().splitlines() if '"level":"error"' in line]
    assert process.returncode == 0, "\n".join([process.stdout, *failed])
    assert not failed
    if phase == "fuzzing":
        assert f"Tested: {len(operations)}" in process.stdout
