"""Storing durably: `POST /v1/screenings` at sixteen clients beside raw one-row commits."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import psycopg

from api.store.database.engine import connect_sqlite
from bench.load import rate

ROOT = Path(__file__).parents[1]
INTAKE = ROOT / "api" / "contract" / "examples" / "widespread_pain.json"
CLIENTS = 16
PROGRAM = str(Path(sys.executable).with_name("nociscreen"))
Side = Callable[[], float]


@contextmanager
def on_sqlite(seconds: float) -> Iterator[tuple[Side, Side]]:
    """Both sides on an encrypted file each, in one folder, synchronous=FULL."""
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        key = os.urandom(32)
        file = Path(folder) / "raw.db"
        make = connect_sqlite(file, key)
        make.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, content BLOB)")
        turn = threading.Lock()

        def commits(until: float) -> int:
            connection, count = connect_sqlite(file, key), 0
            while perf_counter() < until:
                with turn:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute("INSERT INTO one (content) VALUES (?)", (b"x" * 200,))
                    connection.execute("COMMIT")
                count += 1
            connection.close()
            return count

        with _serving(folder, {}, seconds) as rate_of_service:
            yield rate_of_service, lambda: _together(commits, seconds)


@contextmanager
def on_postgres(seconds: float) -> Iterator[tuple[Side, Side]]:
    """Both sides on one PostgreSQL 15, fsync on."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.postgres import Postgres

    from api.store.key_ring import create_key_ring_file

    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "cluster"
        own.mkdir()
        cluster = Postgres(own, durable=True)
        try:
            raw, store_url = (cluster.url(cluster.database()) for _ in range(2))
            with psycopg.connect(raw) as connection:
                connection.execute("CREATE TABLE one (id bigserial PRIMARY KEY, content bytea)")

            def commits(until: float) -> int:
                count = 0
                with psycopg.connect(raw, autocommit=True) as connection:
                    while perf_counter() < until:
                        connection.execute("INSERT INTO one (content) VALUES (%s)", (b"x" * 200,))
                        count += 1
                return count

            create_key_ring_file(Path(folder) / "key-ring")
            with _serving(folder, {"DATABASE_URL": store_url}, seconds) as rate_of_service:
                yield rate_of_service, lambda: _together(commits, seconds)
        finally:
            cluster.stop("fast")


def build_store_settings(folder: str) -> dict[str, str]:
    """Return the environment of a service of this folder that limits no client."""
    environment = os.environ | {
        "NOCISCREEN_DATABASE_FILE": f"{folder}/nociscreen.db",
        "NOCISCREEN_KEY_RING_FILE": f"{folder}/key-ring",
        "NOCISCREEN_FIRST_CLIENT_FILE": f"{folder}/client.json",
        "NOCISCREEN_CLIENT_REQUESTS_PER_MINUTE": "1000000",
    }
    environment.pop("DATABASE_URL", None)
    return environment


@contextmanager
def _serving(folder: str, more: dict[str, str], seconds: float) -> Iterator[Side]:
    """Run a service on this folder or database; yield a function that returns its rate."""
    environment = build_store_settings(folder) | more
    subprocess.run([PROGRAM, "admin", "first"], env=environment, check=True, capture_output=True)
    words = [PROGRAM, "token", "--minutes", "15"]
    token = subprocess.check_output(words, env=environment, text=True).strip()
    body = json.loads(INTAKE.read_bytes()) | {"patient": {"reference": "MRN-0042"}}
    server = subprocess.Popen(
        [PROGRAM, "serve", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        port = int(re.search(r":(\d+)$", server.stdout.readline().strip())[1])
        request = _request(json.dumps(body).encode(), token)
        yield lambda: rate(port, request, connections=CLIENTS, seconds=seconds, status=201)
    finally:
        server.terminate()
        server.wait()


def _together(commits: Callable[[float], int], seconds: float) -> float:
    """Commits a second of sixteen threads at once."""
    counts: list[int] = []
    start = perf_counter()
    threads = [
        threading.Thread(target=lambda: counts.append(commits(start + seconds)))
        for _ in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (perf_counter() - start)


def _request(body: bytes, token: str) -> bytes:
    return (
        b"POST /v1/screenings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer " + token.encode() + b"\r\n"
        b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    )
