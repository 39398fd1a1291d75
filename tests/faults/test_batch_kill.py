"""Kill -9 of the service, a worker, the database: each chunk's results are there exactly once.

One kill at a random moment for each; `make kills` does twenty.
"""

import http.client
import io
import json
import os
import random
import re
import time
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import polars as pl
import psycopg
import pytest
from support import builders
from support.batch_files import rows
from support.servers.forked_program import ForkedProgram
from support.servers.postgres import Postgres
from support.servers.processes import environment, serving

from api.security.tokens.access_tokens import AccessTokens
from api.store.audit import chain
from api.store.database import migrate
from api.store.database.engine import open_postgres as postgres_database
from api.store.operations.startup import open_store

KILLS = int(os.environ.get("TEST_BATCH_KILLS", "1"))
ROWS = 60
SETTINGS = {"NOCISCREEN_BATCH_CHUNK_ROWS": "5", "NOCISCREEN_WORKER_TIMEOUT_SECONDS": "3",
            "NOCISCREEN_BATCH_ATTEMPTS": "50"}  # fmt: skip
PATIENCE = 120.0


class Sender:
    """A client that retries while the service is away."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.address = ""

    def ask(self, method: str, path: str, body: str | None = None, **headers: str):
        """Return status and content of the first response that is not 429 or 503."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            where = urlsplit(self.address)
            connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
            try:
                all_headers = {"Authorization": f"Bearer {self.token}"} | headers
                connection.request(method, path, body, all_headers)
                response = connection.getresponse()
                content = response.read()
                if response.status not in (429, 503):
                    return response.status, content
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(0.1)
        raise AssertionError("the service did not come back")

    def read_progress(self, batch: str) -> dict:
        status, content = self.ask("GET", f"/v1/batches/{batch}")
        assert status == 200, content
        return json.loads(content)

    def send(self, text: str, key: str) -> str:
        headers = {"Content-Type": "text/csv", "Idempotency-Key": key}
        status, content = self.ask("POST", "/v1/batches", text, **headers)
        assert status == 202, content
        return json.loads(content)["id"]

    def wait_until(self, batch: str, is_reached) -> dict:
        """Return the progress of the batch once the condition holds."""
        end = time.monotonic() + PATIENCE
        while not is_reached(progress := self.read_progress(batch)):
            assert time.monotonic() < end, progress
            time.sleep(0.05)
        return progress


def a_clinic(settings) -> tuple[builders.Clinic, str]:
    store = open_store(settings)
    clinic = builders.clinic(store)
    tokens = AccessTokens(
        settings.issuer, settings.audience, store.signing_keys.look_up_trusted_key
    )
    token = builders.token(store, tokens, clinic)
    store.close()
    return clinic, token


def check_every_row_once(settings, clinic, sender: Sender, batch: str) -> None:
    """Every row's result, in order; every chunk audited once; the chain intact."""
    progress = sender.read_progress(batch)
    assert (progress["rows_done"], progress["rows_set_aside"]) == (ROWS, 0)
    _, content = sender.ask("GET", f"/v1/batches/{batch}/results.parquet")
    table = pl.read_parquet(io.BytesIO(content))
    assert table["row_id"].to_list() == [f"r{n}" for n in range(ROWS)]
    assert set(table["status"]) == {"scored"}
    store = open_store(settings)
    with store.read_all_organisations() as session:
        scored = [entry for entry in chain.read_entries(session, clinic.organisation)
                  if entry.action == "score" and entry.target == batch]  # fmt: skip
        keys = store.organisation_keys.load_keys(session, clinic.organisation)
        assert chain.verify_chain(session, keys.audit) == ()
        if store.database.is_embedded:
            connection = session.connection()
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    store.close()
    assert [entry.count for entry in scored] == [5] * (ROWS // 5)


def check_no_patient_in(texts: list[str]) -> None:
    for text in texts:
        assert "P-CANARY" not in text


@contextmanager
def working(settings, name: str = "", **more: str):
    """Run a worker in a process of its own; yield once it has started."""
    variables = environment(settings, **SETTINGS, NOCISCREEN_WORKER_NAME=name, **more)
    with ForkedProgram(["worker"], variables, settings.database_file.parent) as process:
        assert re.match("worker .+ started", process.stdout.readline())
        try:
            yield process
        finally:
            process.terminate()


def wait_for_more_rows(sender: Sender, batch: str, by: int, chance: random.Random) -> bool:
    """Wait until some more rows are done, and a random moment; False where all are."""
    before = sender.read_progress(batch)["rows_done"]
    progress = sender.wait_until(
        batch, lambda now: now["state"] == "done" or now["rows_done"] >= before + by
    )
    time.sleep(chance.uniform(0, 0.2))
    return progress["state"] != "done"


def kill_repeatedly(make_batch, kill_one) -> None:
    """Kill KILLS times; if a batch is done before, continue with another one."""
    kills = 0
    while kills < KILLS:
        batch, finish = make_batch()
        while kills < KILLS and kill_one(batch):
            kills += 1
        finish(batch)


def test_the_service_is_killed_and_goes_on(store_settings):
    clinic, token = a_clinic(store_settings)
    sender, chance = Sender(token), random.Random(4712)
    with ExitStack() as services:

        def start():
            service = services.enter_context(serving(store_settings, **SETTINGS))
            sender.address = service.address
            return service

        running = [start()]

        def make():
            batch = sender.send(rows(ROWS, patient_reference="P-CANARY"), str(chance.random()))
            return batch, finish

        def kill(batch):
            if not wait_for_more_rows(sender, batch, 20, chance):
                return False
            running[0].process.kill()
            running[0].process.wait()
            running[0] = start()
            return True

        def finish(batch):
            sender.wait_until(batch, lambda now: now["state"] == "done")
            check_every_row_once(store_settings, clinic, sender, batch)

        kill_repeatedly(make, kill)


@pytest.fixture
def shared(tmp_path, postgres, migrated):
    """Settings of a store on PostgreSQL."""
    return builders.build_store_settings(
        tmp_path, postgres.url(postgres.database(template=migrated))
    )


def test_a_worker_that_never_comes_back_is_replaced_by_the_others(shared):
    clinic, token = a_clinic(shared)
    sender, chance = Sender(token), random.Random(4713)
    with serving(shared, **SETTINGS, NOCISCREEN_JOB_THREADS="0") as service, ExitStack() as workers:
        sender.address = service.address
        processes = [workers.enter_context(working(shared)) for _ in range(2)]

        def make():
            return sender.send(rows(ROWS), str(chance.random())), finish

        def kill(batch):
            if not wait_for_more_rows(sender, batch, 20, chance):
                return False
            processes[0].kill()
            processes[0].wait()
            processes.append(workers.enter_context(working(shared)))
            del processes[0]
            return True

        def finish(batch):
            sender.wait_until(batch, lambda now: now["state"] == "done")
            check_every_row_once(shared, clinic, sender, batch)

        kill_repeatedly(make, kill)


def test_a_forgotten_worker_is_replaced_too(shared):
    """It was taken for lost, its heartbeat was deleted, and it died before the next one."""
    _, token = a_clinic(shared)
    sender, chance = Sender(token), random.Random(4715)
    with serving(shared, **SETTINGS, NOCISCREEN_JOB_THREADS="0") as service:
        sender.address = service.address
        rows_begun = 0
        while not rows_begun:
            with working(shared) as worker:
                batch = sender.send(rows(ROWS), str(chance.random()))
                wait_for_more_rows(sender, batch, 20, chance)
                worker.kill()
                worker.wait()
            rows_begun = count_rows(
                shared, "SELECT count(*) FROM nociscreen_jobs.workflow_status "
                "WHERE status = 'PENDING' AND queue_name = 'batches'"
            )  # fmt: skip
        count_rows(
            shared, "WITH gone AS (DELETE FROM worker RETURNING 1) SELECT count(*) FROM gone"
        )
        with working(shared):
            sender.wait_until(batch, lambda now: now["state"] == "done")


def count_rows(settings, question: str) -> int:
    url = settings.database_url.get_secret_value().replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        (count,) = connection.execute(question).fetchone()
    return count


def test_the_database_is_killed_and_work_goes_on(tmp_path):
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = Postgres(folder, durable=True)
    try:
        settings = builders.build_store_settings(tmp_path, cluster.url(cluster.database()))
        database = postgres_database(settings.database_url.get_secret_value())
        migrate.upgrade(database)
        database.engine.dispose()
        clinic, token = a_clinic(settings)
        sender, chance = Sender(token), random.Random(4714)
        with serving(settings, **SETTINGS) as service, working(settings):
            sender.address = service.address

            def make():
                return sender.send(rows(ROWS), str(chance.random())), finish

            def kill(batch):
                if not wait_for_more_rows(sender, batch, 20, chance):
                    return False
                cluster.stop("immediate")
                cluster.start()
                return True

            def finish(batch):
                sender.wait_until(batch, lambda now: now["state"] == "done")
                check_every_row_once(settings, clinic, sender, batch)

            kill_repeatedly(make, kill)
    finally:
        cluster.stop("immediate")


def test_a_small_batch_does_not_wait_for_another_organisations_huge_one(store_settings):
    (one, one_token), (other_sender, other_token) = (
        a_clinic(store_settings),
        a_clinic(store_settings),
    )
    huge, small = Sender(one_token), Sender(other_token)
    with serving(store_settings, **SETTINGS, NOCISCREEN_JOB_THREADS="0") as service:
        huge.address = small.address = service.address
        first = huge.send(rows(ROWS * 2), "huge")
        second = small.send(rows(20), "small")
    with serving(store_settings, **SETTINGS) as service:
        huge.address = small.address = service.address
        small.wait_until(second, lambda now: now["state"] == "done")
        huge.wait_until(first, lambda now: now["state"] == "done")
    last_small, after = (
        _last_done(store_settings, second),
        _done_after(store_settings, first, second),
    )
    assert last_small is not None
    assert after > ROWS * 2 // 5 // 2, "the huge batch was half done before the small one was"
    assert one.organisation != other_sender.organisation


def _last_done(settings, batch: str):
    store = open_store(settings)
    with store.read_all_organisations() as session:
        at = (
            session.connection()
            .exec_driver_sql(
                f"SELECT max(done_at) FROM batch_chunk WHERE batch_id = '{batch}'"  # noqa: S608
            )
            .scalar()
        )
    store.close()
    return at


def _done_after(settings, batch: str, other_batch: str) -> int:
    """How many chunks of the batch were finished after the last of the other batch."""
    store = open_store(settings)
    with store.read_all_organisations() as session:
        count = (
            session.connection()
            .exec_driver_sql(
                f"SELECT count(*) FROM batch_chunk WHERE batch_id = '{batch}' AND done_at > "  # noqa: S608
                f"(SELECT max(done_at) FROM batch_chunk WHERE batch_id = '{other_batch}')"
            )
            .scalar()
        )
    store.close()
    return count
