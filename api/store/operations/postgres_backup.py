"""Backup and restore of a PostgreSQL database by PostgreSQL's own programs.

Row-level security hides every row from the login role of the service, so a dump needs a role of its
own with BYPASSRLS. A dump that is not whole leaves no file.
"""

import os
import re
import shutil
import subprocess  # nosec B404 - starts pg_dump and pg_restore
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from api.store.database.connection_faults import convert_connection_fault
from api.store.database.engine import APP_ROLE, DatabaseError

_SETTING = "NOCISCREEN_BACKUP_DATABASE_URL"
_ROLE_ADVICE = (
    "CREATE ROLE nociscreen_backup LOGIN BYPASSRLS PASSWORD '...'; "
    "GRANT pg_read_all_data TO nociscreen_backup; "
    "GRANT CONNECT ON DATABASE ... TO nociscreen_backup;"
)


def create_dump(backup_url: str, organisation_count: int, target: Path) -> None:
    """Dump the whole database as the backup role. Raises DatabaseError; then there is no file.

    The role must see as many organisations as the service does: it is then the same database.
    """
    if target.exists():
        raise DatabaseError(f"{target} already exists")
    url = make_url(backup_url)
    _require_whole_view(url, organisation_count)
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        _run("pg_dump", url, "--format=custom", f"--file={unfinished}")
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def restore_dump(source: Path, database_url: str) -> None:
    """Restore a dump into an empty database, wholly or not at all. Raises DatabaseError."""
    if not source.is_file():
        raise DatabaseError(f"{source} does not exist")
    url = make_url(database_url)
    _require_rows(source)
    with _connect(url, "DATABASE_URL") as connection:
        _require_empty_database(connection)
        _create_application_role(connection)
    options = ("--no-owner", "--exit-on-error", "--single-transaction")
    _run("pg_restore", url, *options, str(source))


def _require_rows(source: Path) -> None:
    """Raise DatabaseError if the dump was made by a role that sees no rows."""
    table = _start("pg_restore", "--data-only", "--table=organisation", "--file=-", str(source))
    if not re.search(r"^COPY [^\n]*;\n(?!\\\.)", table, re.MULTILINE):
        raise DatabaseError(
            f"{source} holds no organisation: the role that dumped it does not see all rows. "
            "`nociscreen backup` refuses such a role"
        )


def _require_whole_view(url: URL, organisation_count: int) -> None:
    with _connect(url, _SETTING) as connection:
        sees_all_rows = connection.execute(
            text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        ).scalar_one()
        if not sees_all_rows:
            raise DatabaseError(
                f"{_SETTING}: the role {url.username} does not see all rows, so its dump would not "
                f"be whole. Create a role for dumps alone: {_ROLE_ADVICE}"
            )
        try:
            visible = connection.execute(text("SELECT count(*) FROM organisation")).scalar_one()
        except DBAPIError:
            raise DatabaseError(
                f"{_SETTING}: the role {url.username} may not read the tables of this database: "
                f"{_ROLE_ADVICE}"
            ) from None
    if visible != organisation_count:
        raise DatabaseError(f"{_SETTING} names another database than DATABASE_URL")


def _require_empty_database(connection: Connection) -> None:
    tables = connection.execute(
        text(
            "SELECT count(*) FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
    ).scalar_one()
    if tables:
        raise DatabaseError(
            "DATABASE_URL: the database is not empty: create a new one, restore into that"
        )


def _create_application_role(connection: Connection) -> None:
    """Create the role that the dump grants its tables to, if it is missing on this server."""
    existing = connection.execute(
        text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": APP_ROLE}
    )
    if existing.first() is not None:
        return
    try:
        connection.execute(text(f"CREATE ROLE {APP_ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS"))
        connection.execute(text(f"GRANT {APP_ROLE} TO CURRENT_USER"))
    except DBAPIError:
        raise DatabaseError(
            f"DATABASE_URL: the role {APP_ROLE} is missing on this server, and this login role may "
            f"not create it. An administrator runs: CREATE ROLE {APP_ROLE} NOLOGIN NOSUPERUSER "
            f"NOBYPASSRLS; GRANT {APP_ROLE} TO <login role>;"
        ) from None


@contextmanager
def _connect(url: URL, setting: str) -> Iterator[Connection]:
    """Begin a transaction of this login role. Raises DatabaseError, which names the setting."""
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), poolclass=NullPool, hide_parameters=True
    )
    try:
        with engine.begin() as connection:
            yield connection
    except OperationalError as error:
        fault = convert_connection_fault(url, error.orig or error)
        raise type(fault)(str(fault).replace("DATABASE_URL", setting)) from None


def _run(program: str, url: URL, *options: str) -> None:
    """Run a program on a database; the password stays out of the process list."""
    address = url.set(drivername="postgresql", password=None).render_as_string()
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    _start(program, f"--dbname={address}", "--no-password", *options, **password)


def _start(program: str, *options: str, **environment: str) -> str:
    """Return the output of a program of PostgreSQL. Raises DatabaseError if it fails."""
    path = shutil.which(program)
    if path is None:
        raise DatabaseError(f"{program} is missing: install PostgreSQL's client programs")
    completed = subprocess.run(  # noqa: S603 # nosec B603 - a fixed program, no shell
        [path, *options],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        first_line = next(iter(completed.stderr.splitlines()), "no reason was given")
        raise DatabaseError(f"{program} failed: {first_line.removeprefix(f'{program}: error: ')}")
    return completed.stdout
