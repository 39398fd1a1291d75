"""All hands wait for a locked database: who asks how the service is need not wait with them."""

import re
import time
import urllib.request

import pytest
from support import builders
from support.faults.concurrent_writers import Writers, ask
from support.faults.failing_storage import prepared, refused_for_now
from support.servers.processes import serving

from api.store.database.engine import connect_sqlite
from api.store.keys.file_key import load_file_key
from api.store.operations.startup import open_key_ring

CROWD = 60
"""More than there are threads to work in."""


@pytest.fixture
def locked(tmp_path):
    """A served file that another process writes to without end; what lets go of it is handed on."""
    settings = builders.build_store_settings(tmp_path)
    token = prepared(settings)
    other = connect_sqlite(
        settings.database_file, load_file_key(settings.database_file, open_key_ring(settings))
    )
    with serving(settings) as service:
        other.execute("BEGIN IMMEDIATE")
        yield service.address, token, lambda: other.execute("ROLLBACK")
    other.close()


def under_way(address: str) -> float:
    with urllib.request.urlopen(f"{address}/metrics") as answer:  # noqa: S310 - our own
        metrics = answer.read().decode()
    return float(re.search(r"^nociscreen_requests_in_progress (\S+)", metrics, re.MULTILINE)[1])


def test_liveness_and_readiness_answer_while_every_thread_waits(locked):
    address, token, let_go = locked
    with Writers(address, token, count=CROWD) as writers:
        until = time.monotonic() + 30
        while under_way(address) < CROWD:
            assert time.monotonic() < until
        assert ask(address, token, "/health/live")[0] == 200
        assert not writers.written
        while not writers.written:
            time.sleep(0.01)
        status, ready = ask(address, token, "/health/ready")
        assert status == 503
        assert [error["code"] for error in ready["errors"]] == ["database"]
        assert ready["errors"][0]["detail"] == "the database is locked"
        let_go()
        while not writers.created_screenings:
            time.sleep(0.01)
        while ask(address, token, "/health/ready")[0] != 200:
            time.sleep(0.01)
    assert all(
        refused_for_now(request_record)
        for request_record in writers.written
        if request_record.status != 201
    )
