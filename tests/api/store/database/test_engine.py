"""The database: no update is lost, and its faults are distinguished from programming errors."""

import os
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, NoResultFound, StatementError
from support.builders import build_store_settings, clinic, do, run_concurrently

from api.store.accounts import clients
from api.store.database.engine import DatabaseError, connect_sqlite
from api.store.database.tables import ClientRow, OrganisationRow
from api.store.errors import UnavailableError
from api.store.keys.file_key import load_file_key
from api.store.operations.startup import open_database, open_key_ring

BEFORE_TIME = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))

UPDATES = int(os.environ.get("TEST_UPDATES", "15"))


@pytest.fixture
def store(own_store):
    return own_store


def test_no_update_is_lost(store):
    owner = clinic(store)
    do(store, owner, clients.update_client, owner.client, {"requests_per_minute": 0})

    def act(_):
        for _ in range(UPDATES):
            with store.transaction(owner.actor) as work:
                query = select(ClientRow.requests_per_minute).where(ClientRow.id == owner.client)
                count = work.session.execute(query.with_for_update()).scalar_one()
                clients.update_client(work, owner.client, {"requests_per_minute": count + 1})
                work.audit("administer")

    assert run_concurrently(8, act) == [None] * 8
    assert do(store, owner, clients.find_client, owner.client).requests_per_minute == 8 * UPDATES


def test_the_file_is_set_up_to_survive(tmp_path):
    settings = build_store_settings(tmp_path)
    path = settings.database_file
    embedded_database = open_database(settings, open_key_ring(settings))
    connection = connect_sqlite(path, load_file_key(path, open_key_ring(settings)))
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "trusted_schema")
    pragma_values = [connection.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas]
    assert pragma_values == ["wal", 2, 1, 1, 0]
    assert path.stat().st_mode & 0o777 == 0o600
    connection.close()
    embedded_database.engine.dispose()


@pytest.mark.parametrize("mistake", ["unique", "none", "unbound"])
def test_a_programming_error_is_not_reported_as_a_database_fault(store, mistake):
    owner = clinic(store)
    faults = []
    store.database.on_fault = faults.append
    same = insert(OrganisationRow).values(
        id=owner.organisation, name="", test=False, active=True, retention_years=None
    )

    def act(session):
        match mistake:
            case "unique":
                session.execute(same.values(created_at=store_now()))
            case "none":
                session.execute(select(ClientRow).where(ClientRow.id == "none")).scalar_one()
            case "unbound":
                session.execute(select(ClientRow).where(ClientRow.created_at < BEFORE_TIME))

    with (
        pytest.raises((IntegrityError, NoResultFound, StatementError)),
        store.write_all_organisations() as session,
    ):
        act(session)
    assert faults == []


def store_now():
    return datetime.now(UTC)


def test_a_locked_row_is_a_fault_with_a_time_to_retry(store):
    with pytest.raises(UnavailableError) as unavailable, store.write_all_organisations():
        raise TimeoutError
    assert unavailable.value.retry_after == 5


def test_only_postgresql_is_taken_as_an_address(tmp_path):
    for url in ("mysql://x@127.0.0.1/x", "sqlite:///x", "postgresqlx://"):
        settings = build_store_settings(tmp_path, url)
        with pytest.raises(DatabaseError, match="PostgreSQL"):
            open_database(settings, open_key_ring(settings))
