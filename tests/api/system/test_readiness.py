"""Readiness: each fault is reported in fixed words, and so is its end."""

from contextlib import contextmanager

import pytest
from sqlalchemy import event
from structlog.testing import capture_logs
from support import builders
from support.builders import build_store_settings, request, tampering_connection
from support.callers import bearing, calling, replace_service

from api.main import create_app
from api.store.database import migrate
from api.store.database.engine import connect_sqlite, open_postgres
from api.store.key_ring import KeyRing, generate_entry
from api.store.keys.file_key import load_file_key
from api.store.operations.startup import open_database, open_key_ring, open_store
from api.store.store import Store
from scoring.catalogue import Catalogue

WELL = (200, {})


@pytest.fixture
def store(own_store):
    return own_store


def ready(service) -> tuple[int, dict[str, str]]:
    response = bearing(service).get("/health/ready")
    faults = response.json().get("errors", [])
    assert (response.status_code == 503) == ("retry-after" in response.headers)
    return response.status_code, {item["code"]: item["detail"] for item in faults}


@contextmanager
def starting(settings, store=None):
    service = create_app(settings, store=store)
    yield service
    service.services.renderer.close()
    service.services.store.close()


@pytest.fixture
def service(store_settings):
    with starting(store_settings) as service:
        assert ready(service) == WELL
        yield service


def test_a_proxy_that_is_not_trusted_is_counted_and_told_and_logged_once(service):
    client = bearing(service)
    assert client.get("/health/ready").json() == {"status": "ok"}
    with capture_logs() as logs:
        for _ in range(2):
            client.get("/health/live", headers={"X-Forwarded-For": "203.0.113.9"})
    assert [line["event"] for line in logs].count("proxy_not_trusted") == 1
    assert "203.0.113.9" not in str(logs)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    [warning] = answer.json()["warnings"]
    assert "NOCISCREEN_TRUSTED_PROXIES" in warning
    metric = "nociscreen_untrusted_forwarded_requests_total 2.0"
    assert metric in client.get("/metrics").text


def test_no_rulebook_is_in_use(service, tmp_path):
    (tmp_path / "index.toml").write_text("")
    replace_service(service, catalogue=Catalogue(tmp_path))
    assert ready(service) == (503, {"no_rulebook": "no rulebook is in use"})


@pytest.mark.parametrize("revision", ["0001", "base"])
def test_the_tables_are_behind_or_missing(service, store_settings, revision):
    database = service.services.store.database
    migrate.downgrade(database, revision)
    assert ready(service) == (503, {"tables": "the database schema does not match this release"})
    if revision == "0001":
        open_store(store_settings).close()
        assert ready(service) == WELL


def test_the_chain_of_the_service_is_missing(service):
    with tampering_connection(service.services.store) as connection:
        connection.exec_driver_sql("DELETE FROM organisation_key")
    assert ready(service) == (503, {"tables": "the system organisation's audit chain is missing"})


def test_the_key_ring_lacks_a_key(service, store_settings):
    entry = generate_entry()
    lame = Store(
        open_database(store_settings, open_key_ring(store_settings)), KeyRing(lambda: entry)
    )
    with starting(store_settings, lame) as other:
        faults = {"key_ring": "the key ring is unreadable or lacks a key"}
        assert ready(other) == (503, faults)
    assert ready(service) == WELL


def keep(service) -> int:
    caller = calling(service, service.state.clinic)
    return caller.post("/v1/screenings", json=request()).status_code


@pytest.fixture
def hurried(service):
    """A service with a clinic, which waits for a lock no longer than a moment."""
    embedded = service.services.store.database.is_embedded
    hurry = "PRAGMA busy_timeout = 50" if embedded else "SET lock_timeout = '100ms'"

    @event.listens_for(service.services.store.database.engine, "checkout")
    def checkout(connection, *_):
        cursor = connection.cursor()
        cursor.execute(hurry)
        cursor.close()

    service.state.clinic = builders.clinic(service.services.store)
    return service


@contextmanager
def locking(store_settings, store):
    """Another program that holds what every writer needs."""
    if store.database.is_embedded:
        other = connect_sqlite(
            store_settings.database_file,
            load_file_key(store_settings.database_file, open_key_ring(store_settings)),
        )
        other.execute("BEGIN IMMEDIATE")
        yield
        other.close()
        return
    database = open_database(store_settings, open_key_ring(store_settings))
    with database.begin_write() as connection:
        connection.exec_driver_sql("SET LOCAL ROLE NONE")
        connection.exec_driver_sql("LOCK TABLE audit_head IN ACCESS EXCLUSIVE MODE")
        yield
    database.engine.dispose()


def test_the_database_is_locked(hurried, store_settings):
    with locking(store_settings, hurried.services.store):
        assert keep(hurried) == 503
        assert ready(hurried) == (503, {"database": "the database is locked"})
    assert keep(hurried) == 201
    assert ready(hurried) == WELL


def test_the_database_is_full(tmp_path):
    with starting(build_store_settings(tmp_path)) as service:
        service.state.clinic = builders.clinic(service.services.store)
        pages = 1

        @event.listens_for(service.services.store.database.engine, "checkout")
        def checkout(connection, *_):
            connection.execute(f"PRAGMA max_page_count = {pages}")

        while (status := keep(service)) == 201:
            pass
        assert status == 503
        assert ready(service) == (503, {"database": "the database is full"})
        pages = 1_000_000
        assert keep(service) == 201
        assert ready(service) == WELL


def test_the_database_is_away(tmp_path):
    settings = build_store_settings(tmp_path, "postgresql://postgres:hush@127.0.0.1:9/none")
    away = Store(open_postgres(settings.database_url.get_secret_value()), open_key_ring(settings))
    with starting(settings, away) as service:
        assert ready(service) == (503, {"database": "the database is unreachable"})
        assert "hush" not in bearing(service).get("/health/ready").text
