"""Migrations: every step up and down, with data in every table, and by two processes at once."""

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, insert, inspect, select
from support.builders import (
    build_store_settings,
    clinic,
    do,
    fill_patient_record,
    open_store_and_add_clinic,
)
from support.sample import IS_SAMPLE
from support.servers.forked_program import FORKING

from api.store.accounts import organisations
from api.store.audit import chain
from api.store.database import migrate
from api.store.database.engine import DatabaseError
from api.store.database.tables import OwnedRow
from api.store.operations.startup import open_database, open_key_ring, open_store
from api.store.screenings import screenings

STEPS = migrate.list_revisions()
ROW = {
    "organisation_id": "o",
    "id": "i",
    "client_id": "i",
    "screening_id": "i",
    "original_id": "i",
    "link_id": "i",
    "practitioner_id": "i",
    "issuer_id": "i",
    "language": "en",
    "batch_id": "i",
    "parent": None,
    "destination_id": "i",
    "delivery_id": "i",
    "kid": "k",
    "replaces": None,
}


@pytest.fixture(params=["sqlite", "postgres"])
def untouched(request, tmp_path):
    """Settings of a database without any table."""
    if request.param == "sqlite":
        return build_store_settings(tmp_path)
    cluster = request.getfixturevalue("postgres")
    return build_store_settings(tmp_path, cluster.url(cluster.database()))


@pytest.fixture
def database(untouched):
    untouched_database = open_database(untouched, open_key_ring(untouched))
    yield untouched_database
    untouched_database.engine.dispose()


def tables_in(connection):
    """Return the tables of the database itself, independent of the models."""
    tables_metadata = MetaData()
    tables_metadata.reflect(connection)
    tables_metadata.remove(tables_metadata.tables["alembic_version"])
    return tables_metadata.sorted_tables


def made_up(column):
    if column.name in ROW:
        return ROW[column.name]
    of = column.type.python_type
    return {
        str: "text",
        int: 1,
        bool: True,
        bytes: b"\x01bytes",
        datetime: datetime.now(UTC),
        date: date(2026, 11, 30),
    }[of]


def fill(database):
    """A row in every table that has none."""
    with database.begin_write() as connection:
        every_organisation(connection)
        for table in tables_in(connection):
            if connection.execute(select(table)).first() is None:
                row = {column.name: made_up(column) for column in table.columns}
                if table.name == "organisation":
                    row["id"] = "o"
                connection.execute(insert(table).values(row))


def every_organisation(connection):
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL ROLE NONE")
        connection.exec_driver_sql("SELECT set_config('nociscreen.every_organisation', 'on', true)")


def rows(database):
    """Every row as the driver reads it, by the table's name: no type of ours stands between."""
    with database.begin_read() as connection:
        every_organisation(connection)
        names = set(inspect(connection).get_table_names()) - {"alembic_version"}
        return {
            name: [
                dict(row)
                for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"').mappings()
            ]
            for name in names
        }


def holds(after, before):
    """Whether every row is there as it was; later columns and tables may have come."""
    return all(
        row.items() <= now.items()
        for name, row_count in before.items()
        for row, now in zip(row_count, after[name], strict=True)
    )


def test_the_first_revision_is_the_start_of_one_line():
    assert STEPS[0][1] is None
    assert [before for _, before in STEPS[1:]] == [revision for revision, _ in STEPS[:-1]]


def test_a_revision_keeps_the_rows_of_the_one_before_both_ways(database):
    steps = STEPS[-6:] if IS_SAMPLE else STEPS[1:]  # those before the last six are long in use
    migrate.upgrade(database, steps[0][1])
    outcomes = []
    for revision, before in steps:
        fill(database)
        rows_before = rows(database)
        assert all(rows_before.values())
        migrate.upgrade(database, revision)
        outcome = [holds(rows(database), rows_before)]
        fill(database)
        migrate.downgrade(database, before)
        outcome.append(holds(rows(database), rows_before))
        migrate.upgrade(database, revision)
        outcomes.append((revision, *outcome, holds(rows(database), rows_before)))
    assert outcomes == [(revision, True, True, True) for revision, _ in steps]


def test_all_the_way_down_leaves_nothing(database):
    migrate.upgrade(database)
    fill(database)
    migrate.downgrade(database, "base")
    assert rows(database) == {}
    migrate.upgrade(database)
    with database.begin_read() as connection:
        assert migrate.is_current(connection)


def test_the_models_are_the_tables(database):
    migrate.upgrade(database)
    with database.begin_read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, OwnedRow.metadata) == []


def test_a_store_that_was_used_opens_after_down_and_up(untouched):
    store = open_store(untouched)
    owner = clinic(store)
    screening, _ = fill_patient_record(store, owner)
    migrate.downgrade(store.database, "0001")
    migrate.upgrade(store.database)
    with store.read_all_organisations() as session:
        assert (
            chain.verify_chain(
                session, store.organisation_keys.load_keys(session, owner.organisation).audit
            )
            == ()
        )
    assert do(store, owner, screenings.find_screening, screening.id).answers == screening.answers
    store.close()


def test_two_processes_that_start_at_once_make_the_tables_once(untouched):
    with ProcessPoolExecutor(3, mp_context=FORKING, max_tasks_per_child=1) as processes:
        ids = list(processes.map(open_store_and_add_clinic, [untouched] * 3))
    store = open_store(untouched)
    with store.read_all_organisations() as session:
        assert sorted(
            organisation.id for organisation in organisations.list_organisations(session)
        ) == sorted(ids)
        assert len(store.signing_keys.list_published_keys()) == 1
    store.close()


def test_a_database_of_a_newer_release_is_refused_by_name(untouched):
    store = open_store(untouched)
    with store.database.begin_write() as connection:
        if not store.database.is_embedded:
            connection.exec_driver_sql("SET LOCAL ROLE NONE")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="newer release"):
        migrate.require_current_schema(store.database)
    store.close()
    with pytest.raises(DatabaseError, match="newer release"):
        open_store(untouched)


def test_a_migration_leaves_no_connection_with_the_rights_of_the_owner(database):
    migrate.upgrade(database)
    if not database.is_embedded:
        with database.begin_read() as connection:
            role = connection.exec_driver_sql("SELECT current_user").scalar_one()
        assert role == "nociscreen_app"


def test_tables_of_this_release_are_left_alone(database):
    with pytest.raises(DatabaseError, match="nociscreen migrate"):
        migrate.require_current_schema(database)
    migrate.upgrade(database)
    migrate.require_current_schema(database)


def test_revision_0009_renames_delivery_outcomes_both_ways(database):
    former = ["half", "silence", "cut_off", "no_tls", "not_signed_in", "not_all_taken", "unfit"]
    renamed = [
        "incomplete_frame", "timeout", "connection_lost", "tls_failed", "login_failed",
        "partially_rejected", "incompatible_with_destination",
    ]  # fmt: skip
    migrate.upgrade(database, "0008")
    fill(database)
    with database.begin_write() as connection:
        every_organisation(connection)
        tables = {table.name: table for table in tables_in(connection)}
        for number, outcome in enumerate([*former, "accepted"], start=2):
            for name, outcome_column in (("attempt", "outcome"), ("delivery", "reason")):
                row = {column.name: made_up(column) for column in tables[name].columns}
                row |= {"id": f"i{number}", outcome_column: outcome}
                unique = {"number": number, "event": outcome, "seq": number}
                row |= {column: unique[column] for column in row.keys() & unique.keys()}
                connection.execute(insert(tables[name]).values(row))

    def read_outcomes() -> list[list[str]]:
        rows_by_table = rows(database)
        attempts = sorted(rows_by_table["attempt"], key=lambda row: row["number"])
        deliveries = sorted(rows_by_table["delivery"], key=lambda row: row["seq"])
        return [[row["outcome"] for row in attempts], [row["reason"] for row in deliveries]]

    assert read_outcomes() == [["text", *former, "accepted"]] * 2
    migrate.upgrade(database, "0009")
    assert read_outcomes() == [["text", *renamed, "accepted"]] * 2
    migrate.downgrade(database, "0008")
    assert read_outcomes() == [["text", *former, "accepted"]] * 2


def test_the_script_that_none_follows_is_the_last_revision():
    assert migrate.find_latest_revision() == STEPS[-1][0]
