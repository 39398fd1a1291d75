"""Storage that fails under a served load: refused clearly, nothing lost, well again by itself."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlcipher3
from support import builders
from support.faults.concurrent_writers import Writers, ask
from support.faults.failing_storage import keep_one, prepared, refused_for_now
from support.servers.postgres import Postgres
from support.servers.processes import run, serving

from api.store.key_ring import KeyRing
from api.store.keys import file_key

HANGING = 300.0
"""Seconds after which a service that neither refuses nor answers has failed."""


def all_there(address: str, token: str, writers: Writers) -> None:
    """Every screening that was answered is read back as it was."""
    for request_record in writers.created_screenings[-50:]:
        status, screening = ask(address, token, f"/v1/screenings/{request_record.body['id']}")
        assert (status, screening["patient"]) == (200, request_record.body["patient"])


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[Path]:
    """A folder on a file system of this size."""
    if os.getuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder.mkdir()
    completed = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", folder],
        check=False,
        capture_output=True,
    )
    if completed.returncode:
        pytest.skip("this machine may not mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 3 MB."""
    with mounted(tmp_path / "disk", 3) as folder:
        yield folder


@pytest.fixture
def small_postgres(tmp_path_factory, tmp_path):
    """A PostgreSQL of its own, whose database lies on a file system of 12 MB; and that."""
    cluster = Postgres(tmp_path_factory.mktemp("own"), durable=True)
    try:
        with mounted(tmp_path / "disk", 12) as folder:
            yield cluster, cluster.database(on=folder), folder
            cluster.stop("immediate")
    except BaseException:
        cluster.stop("immediate")
        raise


def fill_disk(disk: Path, leave: int) -> None:
    """Let a file of another program take this disk, short of this many bytes."""
    free = os.statvfs(disk)
    (disk / "another-program").write_bytes(bytes(free.f_bavail * free.f_frsize - leave))


def refuses_while_full_and_is_well_when_there_is_space(settings, disk) -> None:
    token = prepared(settings)
    with serving(settings) as service:
        assert keep_one(service.address, token).status == 201
        fill_disk(disk, leave=400_000)
        with Writers(service.address, token, count=4) as writers:
            until = time.monotonic() + HANGING
            while not any(request_record.status == 503 for request_record in writers.written):
                assert time.monotonic() < until
                time.sleep(0.01)
        assert writers.created_screenings
        assert {request_record.status for request_record in writers.written} == {201, 503}
        assert all(
            refused_for_now(request_record)
            for request_record in writers.written
            if request_record.status == 503
        )
        assert not writers.broken
        assert ask(service.address, token, "/health/live")[0] == 200
        while keep_one(service.address, token).status != 503:  # a small row may still have fitted
            assert time.monotonic() < until
        status, ready = ask(service.address, token, "/health/ready")
        assert (status, ready["errors"][0]["detail"]) == (503, "the database is full")
        subprocess.run(["mount", "-o", "remount,size=60m", disk], check=True)
        assert keep_one(service.address, token).status == 201
        all_there(service.address, token, writers)
        assert ask(service.address, token, "/health/ready")[0] == 200
    assert run(settings, "audit", "verify").returncode == 0


def test_a_full_disk_refuses_and_loses_nothing_and_is_well_when_there_is_space(small_disk):
    refuses_while_full_and_is_well_when_there_is_space(
        builders.build_store_settings(small_disk), small_disk
    )


def test_a_full_disk_of_postgres_refuses_and_loses_nothing_and_is_well_when_there_is_space(
    small_postgres, tmp_path
):
    cluster, name, disk = small_postgres
    settings = builders.build_store_settings(tmp_path, cluster.url(name))
    refuses_while_full_and_is_well_when_there_is_space(settings, disk)


def test_a_locked_file_refuses_and_is_well_when_it_is_free(tmp_path):
    settings = builders.build_store_settings(tmp_path)
    token = prepared(settings)
    ring = KeyRing(settings.key_ring_file.read_text)
    key = file_key.load_file_key(settings.database_file, ring)
    with serving(settings) as service:
        other = sqlcipher3.connect(str(settings.database_file), isolation_level=None)
        other.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        other.execute("BEGIN IMMEDIATE")
        stuck = keep_one(service.address, token, "a-key")
        assert refused_for_now(stuck)
        status, ready = ask(service.address, token, "/health/ready")
        assert (status, ready["status"]) in {(200, "ok"), (503, 503)}
        other.execute("ROLLBACK")
        other.close()
        first, second = (keep_one(service.address, token, "a-key") for _ in range(2))
        assert (first.status, second.body) == (201, first.body)


def test_a_chain_that_another_holds_refuses_and_is_well_when_it_is_free(
    postgres, migrated, tmp_path
):
    name = postgres.database(template=migrated)
    settings = builders.build_store_settings(tmp_path, postgres.url(name))
    token = prepared(settings)
    with serving(settings) as service:
        process = subprocess.Popen(
            ["psql", postgres.url(name), "-XAtc",
             "BEGIN; LOCK TABLE audit_head; SELECT pg_sleep(13)"],
        )  # fmt: skip
        while not postgres.say("SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
                               "WHERE relname = 'audit_head' AND mode = 'AccessExclusiveLock'",
                               name):  # fmt: skip
            time.sleep(0.05)
        assert keep_one(service.address, token, "a-key").status in {409, 503}
        process.wait()
        first, second = (keep_one(service.address, token, "a-key") for _ in range(2))
        assert (first.status, second.body) == (201, first.body)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restarted_postgres_loses_nothing_and_needs_no_help(tmp_path_factory, tmp_path, mode):
    cluster = Postgres(tmp_path_factory.mktemp("own"), durable=True)
    try:
        settings = builders.build_store_settings(tmp_path, cluster.url(cluster.database()))
        token = prepared(settings)
        with serving(settings) as service:
            with Writers(service.address, token) as writers:
                while len(writers.created_screenings) < 20:
                    time.sleep(0.01)
                cluster.stop(mode)
                while not any(request_record.status == 503 for request_record in writers.written):
                    time.sleep(0.01)
                assert ask(service.address, token, "/health/live")[0] == 200
                status, ready = ask(service.address, token, "/health/ready")
                assert (status, ready["type"]) == (503, "/problems/unavailable")
                cluster.start()
                before = len(writers.created_screenings)
                while len(writers.created_screenings) < before + 20:
                    time.sleep(0.01)
            assert {request_record.status for request_record in writers.written} == {201, 503}
            assert all(
                refused_for_now(request_record)
                for request_record in writers.written
                if request_record.status == 503
            )
            all_there(service.address, token, writers)
        assert run(settings, "audit", "verify").returncode == 0
    finally:
        cluster.stop("immediate")


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("migrate",), ("audit", "verify")])
def test_an_unreachable_database_at_startup_is_reported_in_one_line(tmp_path, command):
    settings = builders.build_store_settings(
        tmp_path,
        "postgresql://postgres:hush@127.0.0.1:9/none",
        withdrawals_file=tmp_path / "withdrawals",
    )
    completed = run(settings, *command)
    assert (completed.returncode, completed.stdout) == (69, "")
    assert completed.stderr == ("DATABASE_URL: no PostgreSQL server answers at 127.0.0.1, port 9\n")
