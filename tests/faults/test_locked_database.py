"""All hands wait for a locked database: who asks how the service is need not wait with them."""

import re
import time
import urllib.request

import pytest
from support import builders
from support.concurrent_writers import Writers, ask
from support.failing_storage import prepared, refused_for_now
from support.processes import serving

from api.store.database.engine import connect_sqlite
from api.store.keys.file_key import load_file_key
from api.store.operations.startup import open_key_ring

CROWD = 60
"""More than there are threads to work in."""


@pytest.fixture
def locked(tmp_path):
    """A served file that another process writes to without end; what lets go of it is handed on."""
    settings = builders.kept_in(tmp_path)
    token = prepared(settings)
    other = connect_sqlite(
        settings.database_file, load_file_key(settings.database_file, open_key_ring(settings))
    )
    with serving(settings) as served:
        other.execute("BEGIN IMMEDIATE")
        yield served.address, token, lambda: other.execute("ROLLBACK")
    other.close()


def under_way(address: str) -> float:
    with urllib.request.urlopen(f"{address}/metrics") as answer:  # noqa: S310 - our own
        told = answer.read().decode()
    return float(re.search(r"^nociscreen_requests_under_way (\S+)", told, re.MULTILINE)[1])


def test_whether_it_lives_and_works_is_told_while_all_hands_wait(locked):
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
        assert [each["code"] for each in ready["errors"]] == ["database"]
        assert ready["errors"][0]["detail"] == "the database is locked"
        let_go()
        while not writers.kept:
            time.sleep(0.01)
        while ask(address, token, "/health/ready")[0] != 200:
            time.sleep(0.01)
    assert all(refused_for_now(each) for each in writers.written if each.status != 201)
