"""Scans the repository for secrets, and builds the wheel twice: both must be equal byte for byte.

detect-secrets and the builder are installed below build/supply, from PyPI.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "build" / "supply"
TOOLS = ("detect-secrets==1.5.0", "pip>=25")
NOISY = ("KeywordDetector", "Base64HighEntropyString", "HexHighEntropyString")
"""Detectors of names and of entropy; the texts and hashes of this repository set them off."""
ACCEPTED = {
    "api/contract/examples/operations/create_token.json": "an invented token of the description",
    "api/contract/examples/operations/introspect_token.json": "the same",
    "api/contract/examples/operations/revoke_token.json": "the same",
    "openapi/openapi.json": "the same",
    "deploy/create-secrets": "the address that the script composes of what it draws",
    "deploy/kubernetes/secret.example.yaml": "a place to fill in",
    "tests/api/cli/test_deployment_warnings.py": "an invented address",
    "tests/api/oauth/test_token_status.py": "a token without a signature",
    "tests/faults/test_storage.py": "an invented address",
    "tests/reports/view/sections/test_flags.py": "an invented word",
}
"""Files with what only looks like a secret, and what it is."""


def main() -> None:
    """Fail if there is a secret, or if two builds differ."""
    if not FOLDER.is_dir():
        run(sys.executable, "-m", "venv", FOLDER)
    run(FOLDER / "bin" / "pip", "install", "--quiet", *TOOLS)
    findings = find_secrets()
    for file in findings - ACCEPTED.keys():
        print(f"{file} has what looks like a secret")
    for file in ACCEPTED.keys() - findings:
        print(f"{file} is accepted, and has nothing that looks like a secret")
    digests = [build_wheel(year) for year in (2020, 2026)]
    print(*(f"wheel: {digest}" for digest in digests), sep="\n")
    if findings != ACCEPTED.keys() or len(set(digests)) > 1:
        raise SystemExit(1)


def find_secrets() -> set[str]:
    """Return the files of the repository in which a detector finds something."""
    options = [word for name in NOISY for word in ("--disable-plugin", name)]
    output = run(FOLDER / "bin" / "detect-secrets", "scan", *options)
    return set(json.loads(output)["results"])


def build_wheel(year: int) -> str:
    """Build the wheel in a new folder, its files of this year, and return its SHA-256."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / f"tree-{year}"
        ignored = shutil.ignore_patterns("__pycache__")
        for name in ("api", "scoring", "schemas", "reports"):
            shutil.copytree(ROOT / name, tree / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, tree)
        moment = (year - 1970) * 31_556_952
        for path in tree.rglob("*"):
            os.utime(path, (moment, moment))
        run(FOLDER / "bin" / "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, tree)
        [wheel] = Path(folder).glob("*.whl")
        return sha256(wheel.read_bytes()).hexdigest()


def run(*words: object) -> str:
    """Run a command in the repository and return what it prints; end if it fails."""
    completed = subprocess.run(
        [str(word) for word in words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if completed.returncode:
        raise SystemExit(f"{words[0]}: {completed.stderr[-2000:]}")
    return completed.stdout


if __name__ == "__main__":
    main()
