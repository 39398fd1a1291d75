"""A service of its own on a temporary folder: its settings, its commands and its requests."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
INTAKE = json.loads((ROOT / "api" / "contract" / "examples" / "widespread_pain.json").read_bytes())
PROGRAM = str(Path(sys.executable).with_name("nociscreen"))


class RunningService(NamedTuple):
    """The port and the process of a server."""

    port: int
    pid: int


def build_environment(folder: str) -> dict[str, str]:
    """Return the environment of a service of this folder that limits no client."""
    environment = os.environ | {
        "NOCISCREEN_DATABASE_FILE": f"{folder}/nociscreen.db",
        "NOCISCREEN_KEY_RING_FILE": f"{folder}/key-ring",
        "NOCISCREEN_JOBS_FILE": f"{folder}/jobs.db",
        "NOCISCREEN_FIRST_CLIENT_FILE": f"{folder}/client.json",
        "NOCISCREEN_CLIENT_REQUESTS_PER_MINUTE": "1000000",
    }
    environment.pop("DATABASE_URL", None)
    return environment


def run_command(environment: dict[str, str], *words: str) -> str:
    """Run `nociscreen` and return what it prints."""
    command = [PROGRAM, *words]
    text = subprocess.check_output(command, env=environment, text=True, stderr=subprocess.DEVNULL)
    return text.strip()


def issue_token(environment: dict[str, str], *words: str) -> str:
    """Create the store with its first client, and return an access token of it."""
    run_command(environment, "admin", "first")
    return run_command(environment, "token", *words)


@contextmanager
def start_server(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    """Run a server until the block ends."""
    server = subprocess.Popen(
        command, env=environment, cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield server
    finally:
        server.terminate()
        server.wait()


@contextmanager
def start_service(
    environment: dict[str, str], port: int = 0, *words: str
) -> Iterator[RunningService]:
    """Run the service until the block ends, on a free port by default."""
    command = [PROGRAM, "serve", "--port", str(port), *words]
    with start_server(command, environment) as server:
        match = re.search(r":(\d+)$", server.stdout.readline().strip())
        yield RunningService(int(match[1]), server.pid)


def build_request(
    path: str, token: str, body: dict | bytes, kind: str = "application/json"
) -> bytes:
    """Return a POST of this body."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
