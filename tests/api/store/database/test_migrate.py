"""Migrations: every step up and down, with data in every table, and by two processes at once."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, insert, select
from support.builders import all_there_is, clinic, do, kept_in

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
OPENING = (
    "import sys; from pathlib import Path; sys.path.insert(0, 'tests');"
    "from support import builders;"
    "from api.store.operations.startup import open_store;"
    "store = open_store(builders.kept_in(Path(sys.argv[1]), sys.argv[2] or None));"
    "made = builders.clinic(store); print(made.organisation)"
)


@pytest.fixture(params=["sqlite", "postgres"])
def untouched(request, tmp_path):
    """Settings of a database without any table."""
    if request.param == "sqlite":
        return kept_in(tmp_path)
    cluster = request.getfixturevalue("postgres")
    return kept_in(tmp_path, cluster.url(cluster.database()))


@pytest.fixture
def database(untouched):
    opened = open_database(untouched, open_key_ring(untouched))
    yield opened
    opened.engine.dispose()


def tables_in(connection):
    """The tables as they are there, whatever the models say."""
    found = MetaData()
    found.reflect(connection)
    found.remove(found.tables["alembic_version"])
    return found.sorted_tables


def made_up(column):
    if column.name in ROW:
        return ROW[column.name]
    of = column.type.python_type
    return {str: "text", int: 1, bool: True, bytes: b"\x01bytes", datetime: datetime.now(UTC)}[of]


def fill(database):
    """A row in every table that has none."""
    with database.begin_write() as connection:
        every_organisation(connection)
        for table in tables_in(connection):
            if connection.execute(select(table)).first() is None:
                row = {each.name: made_up(each) for each in table.columns}
                if table.name == "organisation":
                    row["id"] = "o"
                connection.execute(insert(table).values(row))


def every_organisation(connection):
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL ROLE NONE")
        connection.exec_driver_sql("SELECT set_config('nociscreen.every_organisation', 'on', true)")


def rows(database):
    with database.begin_read() as connection:
        every_organisation(connection)
        return {
            table.name: [each._asdict() for each in connection.execute(select(table))]
            for table in tables_in(connection)
        }


def holds(after, before):
    """Whether every row is there as it was; later columns and tables may have come."""
    return all(
        row.items() <= now.items()
        for name, kept in before.items()
        for row, now in zip(kept, after[name], strict=True)
    )


def test_the_first_revision_is_the_start_of_one_line():
    assert STEPS[0][1] is None
    assert [before for _, before in STEPS[1:]] == [revision for revision, _ in STEPS[:-1]]


@pytest.mark.parametrize("step", STEPS[1:], ids=[each for each, _ in STEPS[1:]])
def test_a_revision_keeps_the_rows_of_the_one_before_both_ways(database, step):
    revision, before = step
    migrate.upgrade(database, before)
    fill(database)
    filled = rows(database)
    assert all(filled.values())
    migrate.upgrade(database, revision)
    assert holds(rows(database), filled)
    fill(database)
    migrate.downgrade(database, before)
    assert holds(rows(database), filled)
    migrate.upgrade(database, revision)
    assert holds(rows(database), filled)


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
    made = clinic(store)
    screening, _ = all_there_is(store, made)
    migrate.downgrade(store.database, "0001")
    migrate.upgrade(store.database)
    with store.read_all_organisations() as session:
        assert (
            chain.verify_chain(
                session, store.organisation_keys.load_keys(session, made.organisation).audit
            )
            == ()
        )
    assert do(store, made, screenings.find_screening, screening.id).answers == screening.answers
    store.close()


def test_two_processes_that_start_at_once_make_the_tables_once(untouched):
    url = untouched.database_url.get_secret_value() if untouched.database_url else ""
    words = [sys.executable, "-c", OPENING, str(untouched.database_file.parent), url]
    processes = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = [each.communicate(timeout=60) for each in processes]
    assert [each.returncode for each in processes] == [0, 0, 0], told
    store = open_store(untouched)
    with store.read_all_organisations() as session:
        assert {each.id for each in organisations.list_organisations(session)} == {
            out.strip() for out, _ in told
        }
        assert len(store.signing_keys.list_published_keys()) == 1
    store.close()


def test_a_database_of_a_newer_release_is_refused_by_name(untouched):
    store = open_store(untouched)
    with store.database.begin_write() as connection:
        if not store.database.is_embedded:
            connection.exec_driver_sql("SET LOCAL ROLE NONE")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="not those of this release"):
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
