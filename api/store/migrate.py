"""Migrations: bring a database to the tables of this release, each step tested both ways."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from api.store.database import Database, DatabaseError

SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to a revision. Processes that start at once take turns."""
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("RESET ROLE")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7304181)")
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the database back to an earlier revision."""
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("RESET ROLE")
        command.downgrade(_config(connection), revision)


def is_current(connection: Connection) -> bool:
    """Whether the database has the tables of this release."""
    held = MigrationContext.configure(connection).get_current_revision()
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


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config
