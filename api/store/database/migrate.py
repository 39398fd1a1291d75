"""Migrations: bring a database to the tables of this release, each step tested both ways."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ProgrammingError

from api.store.database.engine import Database, DatabaseError

SCRIPTS = Path(__file__).parents[1] / "migrations"


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to a revision. Processes that start at once take turns.

    Raises DatabaseError where a newer release has been at it.
    """
    with _owning(database) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the database back to an earlier revision."""
    with _owning(database) as connection:
        command.downgrade(_config(connection), revision)


def is_current(connection: Connection) -> bool:
    """Whether the database has the tables of this release.

    An older release may not have let the application ask.
    """
    try:
        with connection.begin_nested():
            held = MigrationContext.configure(connection).get_current_revision()
    except ProgrammingError:
        return False
    return held == newest()


def newest() -> str | None:
    """The revision of this release."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def revisions() -> list[tuple[str, str | None]]:
    """Every revision with the one before it, oldest first."""
    walked = ScriptDirectory.from_config(_config(None)).walk_revisions()
    return [(each.revision, each.down_revision) for each in reversed(list(walked))]  # type: ignore[misc]


def check(database: Database) -> None:
    """Raises DatabaseError where the tables are not those of this release."""
    with database.reading() as connection:
        if not is_current(connection):
            raise DatabaseError(
                "the tables are not those of this release: run `nociscreen migrate`"
            )


@contextmanager
def _owning(database: Database) -> Iterator[Connection]:
    """One at a time, as the role that owns the tables, with all the time that it takes."""
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL ROLE NONE")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7304181)")
        held = MigrationContext.configure(connection).get_current_revision()
        if held not in {None, *(each for each, _ in revisions())}:
            raise DatabaseError("a newer release has changed the tables: run that one")
        yield connection
    database.engine.dispose()  # connections opened before the tables have not their role


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config
