"""Migrations: upgrade or downgrade the database schema and compare it with this release.

Alembic is imported late: a start on a database of this release does without it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ProgrammingError

from api.store.database.engine import Database, DatabaseError

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

SCRIPTS_FOLDER = Path(__file__).parents[1] / "migrations"
_REVISION = re.compile(r'^revision(?:: str)? = "(\w+)"', re.MULTILINE)
_FOLLOWED_REVISION = re.compile(r'^down_revision.*? = "(\w+)"', re.MULTILINE)


def upgrade(database: Database, revision: str = "head") -> None:
    """Upgrade to a revision. Raises DatabaseError if a newer release migrated the database."""
    from alembic import command

    with _schema_owner(database) as connection:
        command.upgrade(_alembic_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Downgrade the database to an earlier revision."""
    from alembic import command

    with _schema_owner(database) as connection:
        command.downgrade(_alembic_config(connection), revision)


def is_current(connection: Connection) -> bool:
    """Return whether the database schema is that of this release.

    An older schema may not let the application role read the revision.
    """
    try:
        with connection.begin_nested():
            revision = _read_revision(connection)
    except ProgrammingError:
        return False
    return revision == find_latest_revision()


@cache
def find_latest_revision() -> str:
    """Return the schema revision of this release: the only script that no other one follows."""
    texts = [file.read_text(encoding="utf-8") for file in SCRIPTS_FOLDER.rglob("[0-9]*_*.py")]
    revisions = {match[1] for text in texts if (match := _REVISION.search(text))}
    followed = {match[1] for text in texts if (match := _FOLLOWED_REVISION.search(text))}
    (latest,) = revisions - followed
    return latest


@cache
def list_revisions() -> tuple[tuple[str, str | None], ...]:
    """Return each revision with its predecessor, oldest first."""
    scripts = list(_open_scripts().walk_revisions())
    return tuple((script.revision, script.down_revision) for script in reversed(scripts))  # type: ignore[misc]


def require_current_schema(database: Database) -> None:
    """Raise DatabaseError if the database schema is not that of this release."""
    fault = find_schema_fault(database)
    if fault:
        raise DatabaseError(f"{fault}: run `nociscreen migrate`")


def find_schema_fault(database: Database) -> str | None:
    """Return in one sentence how the schema differs from that of this release, or None."""
    with database.begin_read() as connection:
        if is_current(connection):
            return None
    with _schema_owner(database) as connection:
        revision = _read_revision(connection)
    return (
        f"the database schema is {revision or 'empty'}, and this release needs "
        f"{find_latest_revision()}"
    )


@contextmanager
def _schema_owner(database: Database) -> Iterator[Connection]:
    """Begin a transaction as the owner of the tables, one process at a time, without timeouts."""
    with database.begin_write() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL ROLE NONE")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7304181)")
        revision = _read_revision(connection)
        if revision not in {None, *(name for name, _ in list_revisions())}:
            raise DatabaseError("the database was migrated by a newer release: run that release")
        if revision is None and inspect(connection).has_table("screening"):
            raise DatabaseError(
                "the database has tables but no schema revision, as after a restore that did not "
                "finish: restore a whole backup into an empty database"
            )
        yield connection
    database.engine.dispose()  # earlier connections lack the application role


def _read_revision(connection: Connection) -> str | None:
    """Return the revision of the database; None if it has none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    query = text("SELECT version_num FROM alembic_version")
    revision: str | None = connection.execute(query).scalar_one_or_none()
    return revision


def _open_scripts() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_alembic_config(None))


def _alembic_config(connection: Connection | None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS_FOLDER))
    config.attributes["connection"] = connection
    return config
