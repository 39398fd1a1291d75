"""What was not written here, to check FHIR by: R4 validators and a stand-in EHR, run by Node."""

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


def faults(resources: Iterable[dict]) -> list[list[str]]:
    """What four R4 validators find wrong with each resource."""
    return told("check.mjs", resources)


def told(script: str, lines: Iterable[object], *words: str) -> list:
    """What a script of ours prints for each line that it is given."""
    done = subprocess.run(
        ["node", NODE / script, *words],
        input="".join(f"{json.dumps(each)}\n" for each in lines),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
