"""Checks the description of the API with other people's tools, and uses it as their clients do.

openapi-spec-validator, Spectral with OWASP's rules and Redocly must find nothing. Four generators
make clients, and each does the main job with a service that runs: token, score, store, read,
report. The tools are installed below build/contract, from PyPI and npm; openapi-generator needs
Java.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from demo import INTAKE, PROGRAM, ROOT, read_address, run_program

TOOLS = ROOT / "tests" / "support" / "contract_tools"
FOLDER = ROOT / "build" / "contract"
PYTHON = FOLDER / "venv" / "bin"
NODE = FOLDER / "node_modules" / ".bin"
DESCRIPTION = ROOT / "openapi" / "openapi.json"


def main() -> None:
    """Install the tools, check the description, make the clients and run them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in TOOLS.iterdir():
        shutil.copy(file, FOLDER)
    install_tools()
    run(PYTHON / "openapi-spec-validator", DESCRIPTION)
    run(
        NODE / "spectral",
        "lint",
        "--fail-severity",
        "hint",
        "--ruleset",
        "spectral.yaml",
        DESCRIPTION,
    )
    run(NODE / "redocly", "lint", "--max-problems", 1000, "--config", "redocly.yaml", DESCRIPTION)
    generate_clients()
    with tempfile.TemporaryDirectory() as folder:
        run_clients(Path(folder))


def install_tools() -> None:
    """Install what is pinned, unless it is there already."""
    if not PYTHON.is_dir():
        run(sys.executable, "-m", "venv", FOLDER / "venv")
    run(PYTHON / "python", "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt")
    run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")


def generate_clients() -> None:
    """Make a new client with each generator."""
    for client in FOLDER.glob("*_made*"):
        shutil.rmtree(client) if client.is_dir() else client.unlink()
    run(PYTHON / "openapi-python-client", "generate", "--path", DESCRIPTION, "--meta", "none",
        "--output-path", FOLDER / "openapi_python_client_made")  # fmt: skip
    run(PYTHON / "openapi-generator-cli", "generate", "--generator-name", "python",
        "--input-spec", DESCRIPTION, "--output", FOLDER / "generator_made",
        "--package-name", "openapi_generator_made")  # fmt: skip
    run(PYTHON / "datamodel-codegen", "--input", DESCRIPTION, "--input-file-type", "openapi",
        "--output-model-type", "pydantic_v2.BaseModel", "--formatters", "builtin",
        "--output", FOLDER / "datamodel_code_generator_made.py")  # fmt: skip
    run(NODE / "openapi-typescript", DESCRIPTION,
        "--output", FOLDER / "openapi_typescript_made.d.ts")  # fmt: skip
    run(NODE / "tsc", "--project", "tsconfig.json")


def run_clients(folder: Path) -> None:
    """Start a service in this folder, and do the main job with each client."""
    credentials = folder / "client.json"
    environment = os.environ | {
        "NOCISCREEN_DATABASE_FILE": str(folder / "nociscreen.db"),
        "NOCISCREEN_KEY_RING_FILE": str(folder / "key-ring"),
        "NOCISCREEN_FIRST_CLIENT_FILE": str(credentials),
    }
    environment.pop("DATABASE_URL", None)
    run_program(environment, "admin", "first", "--test")
    service = subprocess.Popen(
        [*PROGRAM, "serve", "--port", "0"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        client = json.loads(credentials.read_text())
        form = {name: client[name] for name in ("client_id", "client_secret")}
        environment |= {
            "CONTRACT_SERVICE": read_address(service),
            "CONTRACT_INTAKE": str(INTAKE),
            "CONTRACT_TOKEN_FORM": json.dumps(form | {"grant_type": "client_credentials"}),
            "PYTHONPATH": f"{FOLDER}:{FOLDER / 'generator_made'}",
        }
        for name in ("client_python_client", "client_generator", "client_models"):
            run(PYTHON / "python", f"{name}.py", environment=environment)
        run("node", "client_fetch.js", environment=environment)
    finally:
        service.terminate()
        service.wait(timeout=10)


def run(*words: object, environment: dict[str, str] | None = None) -> None:
    """Run a command in the folder of the tools; its output only if it fails."""
    completed = subprocess.run(
        [str(word) for word in words], cwd=FOLDER, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if completed.returncode:
        raise SystemExit(f"{words[0]}:\n{completed.stdout[-4000:]}\n{completed.stderr[-4000:]}")
    names = [Path(str(word)).name for word in words[:2]]
    last_line = completed.stdout.strip().rpartition("\n")[2]
    print(f"{' '.join(names)}: {last_line[:100] or 'done'}", flush=True)


if __name__ == "__main__":
    main()
