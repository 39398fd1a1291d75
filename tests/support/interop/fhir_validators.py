"""External FHIR R4 validators and a simulated EHR, run by Node.js."""

import atexit
import json
import shutil
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import pytest
from support.browser.chromium import CHROMIUM

NODE = Path(__file__).parent / "fhir"
LFORMS = NODE / "node_modules" / ".lforms" / "package" / "dist" / "lforms"
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules" / "@medplum").is_dir(),
    reason="Node.js or its packages are missing: run scripts/fhir-checks",
)
needs_forms = pytest.mark.skipif(
    CHROMIUM is None or not LFORMS.is_dir(),
    reason="Chromium or LHC-Forms is missing: `make setup-dev` installs both",
)


@lru_cache
def _start_validators() -> subprocess.Popen[str]:
    """Start the validators once: they read all of FHIR's definitions first."""
    process = subprocess.Popen(
        ["node", NODE / "check.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(process.communicate)
    return process


def validate_resources(resources: Iterable[dict]) -> list[list[str]]:
    """Return the errors that four R4 validators find in each resource."""
    process = _start_validators()
    errors = []
    for resource in resources:
        process.stdin.write(json.dumps(resource) + "\n")
        process.stdin.flush()
        errors.append(json.loads(process.stdout.readline()))
    return errors


def run_node_script(script: str, lines: Iterable[object], *words: str) -> list:
    """Run a script with one JSON value per line of input; return its output lines as JSON."""
    process = subprocess.run(
        ["node", NODE / script, *words],
        input="".join(f"{json.dumps(line)}\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return [json.loads(line) for line in process.stdout.splitlines()]
