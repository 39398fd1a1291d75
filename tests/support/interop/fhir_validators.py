"""External FHIR R4 validators and a simulated EHR, run by Node.js."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

NODE = Path(__file__).parent / "fhir"
LFORMS = NODE / "node_modules" / ".lforms" / "package" / "dist" / "lforms"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules" / "@medplum").is_dir(),
    reason="Node.js or its packages are missing: run scripts/fhir-checks",
)
needs_forms = pytest.mark.skipif(
    CHROMIUM is None or not LFORMS.is_dir(),
    reason="chromium or LHC-Forms is missing: apt install chromium, run scripts/fhir-checks",
)


def validate_resources(resources: Iterable[dict]) -> list[list[str]]:
    """Return the errors that four R4 validators find in each resource."""
    return run_node_script("check.mjs", resources)


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
