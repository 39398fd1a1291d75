"""The database: no update is lost, and its trouble is told apart from mistakes of ours."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, NoResultFound, StatementError
from support.builders import at_once, clinic, do, kept_in

from api.problems import Problem
from api.store.accounts import clients
from api.store.database.engine import DatabaseError, connect_sqlite
from api.store.database.tables import ClientRow, OrganisationRow
from api.store.keys.file_key import load_file_key
from api.store.operations.startup import open_database, open_key_ring

BEFORE_TIME = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))


def test_no_update_is_lost(store):
    made = clinic(store)
    do(store, made, clients.update_client, made.client, {"requests_per_minute": 0})

    def act(_):
        for _ in range(60):
            with store.transaction(made.actor) as work:
                query = select(ClientRow.requests_per_minute).where(ClientRow.id == made.client)
                count = work.session.execute(query.with_for_update()).scalar_one()
                clients.update_client(work, made.client, {"requests_per_minute": count + 1})
                work.audit("administer")

    assert at_once(8, act) == [None] * 8
    assert do(store, made, clients.find_client, made.client).requests_per_minute == 480


def test_the_file_is_set_up_to_survive(tmp_path):
    chosen = kept_in(tmp_path)
    path = chosen.database_file
    opened = open_database(chosen, open_key_ring(chosen))
    connection = connect_sqlite(path, load_file_key(path, open_key_ring(chosen)))
    asked = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "trusted_schema")
    found = [connection.execute(f"PRAGMA {each}").fetchone()[0] for each in asked]
    assert found == ["wal", 2, 1, 1, 0]
    assert path.stat().st_mode & 0o777 == 0o600
    connection.close()
    opened.engine.dispose()


@pytest.mark.parametrize("mistake", ["unique", "none", "unbound"])
def test_a_mistake_of_ours_is_not_told_as_trouble_of_the_database(store, mistake):
    made = clinic(store)
    faults = []
    store.database.on_fault = faults.append
    same = insert(OrganisationRow).values(
        id=made.organisation, name="", test=False, active=True, retention_years=None
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


def test_a_locked_row_is_trouble_with_a_time_to_come_back(store):
    with pytest.raises(Problem, match="unavailable") as told, store.write_all_organisations():
        raise TimeoutError
    assert told.value.headers["Retry-After"]


def test_only_postgresql_is_taken_as_an_address(tmp_path):
    for url in ("mysql://x@127.0.0.1/x", "sqlite:///x", "postgresqlx://"):
        chosen = kept_in(tmp_path, url)
        with pytest.raises(DatabaseError, match="PostgreSQL"):
            open_database(chosen, open_key_ring(chosen))
