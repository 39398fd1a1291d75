"""Readiness: each thing that keeps the service from working is told in fixed words, and its end."""

from contextlib import contextmanager

import pytest
from sqlalchemy import event
from support import builders
from support.builders import kept_in, request, tampering
from support.callers import bearing, calling

from api.main import create_app
from api.store.database import migrate
from api.store.database.engine import connect_sqlite, open_postgres
from api.store.key_ring import KeyRing, generate_entry
from api.store.keys.file_key import load_file_key
from api.store.operations.startup import open_database, open_key_ring, open_store
from api.store.store import Store
from scoring.catalogue import Catalogue

WELL = (200, {})


def ready(service) -> tuple[int, dict[str, str]]:
    response = bearing(service).get("/health/ready")
    told = response.json().get("errors", [])
    assert (response.status_code == 503) == ("retry-after" in response.headers)
    return response.status_code, {each["code"]: each["detail"] for each in told}


@contextmanager
def started(settings, store=None):
    service = create_app(settings, store=store)
    yield service
    service.state.renderer.close()
    service.state.store.close()


@pytest.fixture
def service(kept):
    with started(kept) as made:
        assert ready(made) == WELL
        yield made


def test_no_rulebook_is_in_use(service, tmp_path):
    (tmp_path / "index.toml").write_text("")
    service.state.catalogue = Catalogue(tmp_path)
    assert ready(service) == (503, {"no_rulebook": "no rulebook is in use"})


@pytest.mark.parametrize("revision", ["0001", "base"])
def test_the_tables_are_behind_or_missing(service, kept, revision):
    database = service.state.store.database
    migrate.downgrade(database, revision)
    assert ready(service) == (503, {"tables": "the tables are not those of this release"})
    if revision == "0001":
        open_store(kept).close()
        assert ready(service) == WELL


def test_the_chain_of_the_service_is_missing(service):
    with tampering(service.state.store) as connection:
        connection.exec_driver_sql("DELETE FROM organisation_key")
    assert ready(service) == (503, {"tables": "the service's own chain is missing"})


def test_the_key_ring_lacks_a_key(service, kept):
    entry = generate_entry()
    lame = Store(open_database(kept, open_key_ring(kept)), KeyRing(lambda: entry))
    with started(kept, lame) as other:
        told = {"key_ring": "the key ring lacks a key, or cannot be read"}
        assert ready(other) == (503, told)
    assert ready(service) == WELL


def keep(service) -> int:
    caller = calling(service, service.state.clinic)
    return caller.post("/v1/screenings", json=request()).status_code


@pytest.fixture
def hurried(service):
    """A service with a clinic, which waits for a lock no longer than a moment."""
    embedded = service.state.store.database.is_embedded
    hurry = "PRAGMA busy_timeout = 50" if embedded else "SET lock_timeout = '100ms'"

    @event.listens_for(service.state.store.database.engine, "checkout")
    def checkout(connection, *_):
        cursor = connection.cursor()
        cursor.execute(hurry)
        cursor.close()

    service.state.clinic = builders.clinic(service.state.store)
    return service


@contextmanager
def locking(kept, store):
    """Another program that holds what every writer needs."""
    if store.database.is_embedded:
        other = connect_sqlite(
            kept.database_file, load_file_key(kept.database_file, open_key_ring(kept))
        )
        other.execute("BEGIN IMMEDIATE")
        yield
        other.close()
        return
    database = open_database(kept, open_key_ring(kept))
    with database.begin_write() as connection:
        connection.exec_driver_sql("SET LOCAL ROLE NONE")
        connection.exec_driver_sql("LOCK TABLE audit_head IN ACCESS EXCLUSIVE MODE")
        yield
    database.engine.dispose()


def test_the_database_is_locked(hurried, kept):
    with locking(kept, hurried.state.store):
        assert keep(hurried) == 503
        assert ready(hurried) == (503, {"database": "the database is locked"})
    assert keep(hurried) == 201
    assert ready(hurried) == WELL


def test_the_database_is_full(tmp_path):
    with started(kept_in(tmp_path)) as service:
        service.state.clinic = builders.clinic(service.state.store)
        pages = 1

        @event.listens_for(service.state.store.database.engine, "checkout")
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
    settings = kept_in(tmp_path, "postgresql://postgres:hush@127.0.0.1:9/none")
    away = Store(open_postgres(settings.database_url.get_secret_value()), open_key_ring(settings))
    with started(settings, away) as service:
        assert ready(service) == (503, {"database": "the database does not answer"})
        assert "hush" not in bearing(service).get("/health/ready").text
