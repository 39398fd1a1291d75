"""Storing durably: `POST /v1/screenings` at sixteen clients beside raw one-row commits."""

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import psycopg

from api.store.database.engine import connect_sqlite
from bench.figures import Sample, Side
from bench.load import measure_load
from bench.service import INTAKE, ROOT, build_environment, build_request, issue_token, start_service

CLIENTS = 16


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
def on_postgres(seconds: float, workers: int = 1) -> Iterator[tuple[Side, Side]]:
    """Both sides on one PostgreSQL 15, fsync on; ours in so many processes."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.servers.postgres import Postgres

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
            variables = {"DATABASE_URL": store_url}
            with _serving(folder, variables, seconds, workers) as rate_of_service:
                yield rate_of_service, lambda: _together(commits, seconds)
        finally:
            cluster.stop("fast")


@contextmanager
def _serving(folder: str, more: dict[str, str], seconds: float, workers: int = 1) -> Iterator[Side]:
    """Run a service on this folder or database; yield a function that returns its rate."""
    environment = build_environment(folder) | more
    token = issue_token(environment, "--minutes", "15")
    intake = INTAKE | {"patient": {"reference": "MRN-0042"}}
    request = build_request("/v1/screenings", token, intake)
    words = ("--workers", str(workers)) if workers > 1 else ()
    with start_service(environment, 0, *words) as service:
        yield lambda: measure_load(service, request, clients=CLIENTS, seconds=seconds, status=201)


def _together(commits: Callable[[float], int], seconds: float) -> Sample:
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
    return Sample(sum(counts) / (perf_counter() - start))
