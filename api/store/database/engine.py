"""The database engine: an embedded, encrypted SQLite file or a PostgreSQL server.

Both offer the same two kinds of transaction: write (serialised on SQLite) and read (one consistent
state). Every failure of storage, or of the keys it needs, becomes an UnavailableError and one line
in the log.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sqlcipher3  # type: ignore[import-untyped]
import structlog
from sqlalchemy import Engine, create_engine, event, exc, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.pool import QueuePool

from api.store.errors import UnavailableError
from api.store.key_ring import KeyRingError
from api.store.locks import FairLock

APP_ROLE = "nociscreen_app"
_OWN_HOSTS = (None, "", "localhost", "127.0.0.1", "::1")
"""Where a PostgreSQL server on this computer listens; None is a socket."""
BUSY_SECONDS = 5
LOCK_SECONDS = 10
WRITE_LOCK_SECONDS = 600
POOL_SIZE = 24
RETRY_AFTER_SECONDS = 5
FAULT_MEMORY_SECONDS = 10.0
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    f"busy_timeout={BUSY_SECONDS * 1000}",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "secure_delete=ON",
    "temp_store=MEMORY",
)
_ALL_TABLES = "0x10002"
"""Of `PRAGMA optimize`: look at every table, not only at those that this connection used."""
_POSTGRES_OPTIONS = (
    f"-c lock_timeout={LOCK_SECONDS}s -c statement_timeout=30s "
    "-c idle_in_transaction_session_timeout=60s -c timezone=UTC"
)
_CALLER_ERRORS = (
    exc.ArgumentError,
    exc.CompileError,
    exc.DataError,
    exc.IntegrityError,
    exc.MultipleResultsFound,
    exc.NoResultFound,
    exc.ProgrammingError,
)
"""Errors caused by our own statements: the database itself works."""
FAULT_TEXT = {
    "full": "the database is full",
    "locked": "the database is locked",
    "unreachable": "the database is unreachable",
}
"""The text of each kind of fault; it contains no secret."""

_NO_KEY = "An encryption key is missing; the operator must act."
_log = structlog.get_logger("nociscreen")


class DatabaseError(Exception):
    """The database is unusable as it is; the operator must act."""


class UnreachableError(DatabaseError):
    """No database server answers; it may be down for a moment."""


class Database:
    """A SQLAlchemy engine and the transactions that begin on it."""

    def __init__(self, engine: Engine, write_lock: FairLock | None = None) -> None:
        self.engine = engine
        self.on_fault: Callable[[str], None] = lambda _: None
        self._write_lock = write_lock
        self._last_fault: tuple[float, str] | None = None

    @property
    def current_fault(self) -> str | None:
        """The last fault, a key of FAULT_TEXT, until a write succeeds or some seconds pass."""
        at, kind = self._last_fault or (float("-inf"), None)
        return kind if time.monotonic() - at < FAULT_MEMORY_SECONDS else None

    @property
    def is_embedded(self) -> bool:
        """Whether this is the embedded SQLite file."""
        return self._write_lock is not None

    @contextmanager
    def begin_write(self, wait_seconds: float = LOCK_SECONDS) -> Iterator[Connection]:
        """Begin a write transaction; on SQLite wait up to `wait_seconds` for other writers."""
        with self.translate_errors():
            if self._write_lock is None:
                with self.engine.begin() as connection:
                    yield connection
            else:
                with (
                    self._write_lock.acquire(wait_seconds),
                    self._immediate().begin() as connection,
                ):
                    yield connection
            self._last_fault = None

    @contextmanager
    def lock_writes(self) -> Iterator[None]:
        """Hold the write lock while a library begins its own transaction on the write engine."""
        if self._write_lock is None:
            yield
        else:
            with ExitStack() as stack:
                with self.translate_errors():
                    stack.enter_context(self._write_lock.acquire(WRITE_LOCK_SECONDS))
                yield

    @property
    def write_engine(self) -> Engine:
        """The engine for transactions of a library that write; hold the write lock first."""
        return self.engine if self._write_lock is None else self._immediate()

    @contextmanager
    def begin_read(self) -> Iterator[Connection]:
        """Begin a transaction that only reads."""
        with self.translate_errors(), self.engine.begin() as connection:
            yield connection

    def truncate_wal(self) -> None:
        """Truncate SQLite's write-ahead log, so that erased pages are gone from disk."""
        if self.is_embedded:
            with self.translate_errors(), self.engine.connect() as connection:
                cursor = connection.connection.cursor()
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def refresh_statistics(self) -> None:
        """Let SQLite count again how its tables are filled; PostgreSQL does so by itself."""
        if self.is_embedded:
            with self.lock_writes(), self.translate_errors(), self.engine.connect() as connection:
                connection.connection.cursor().execute(f"PRAGMA optimize={_ALL_TABLES}")

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Translate database and key faults into UnavailableError, and no other error."""
        try:
            yield
        except _CALLER_ERRORS:
            raise
        except (
            exc.SQLAlchemyError,
            sqlcipher3.Error,
            self.engine.dialect.loaded_dbapi.Error,
            TimeoutError,
        ) as error:
            if isinstance(error, exc.StatementError) and not isinstance(error, exc.DBAPIError):
                raise  # a value could not be bound: the statement never reached the database
            cause = (error.orig if isinstance(error, exc.DBAPIError) else error) or error
            kind = _classify_fault(cause)
            self._last_fault = time.monotonic(), kind
            self.on_fault(kind)
            _log.warning("database_fault", fault=kind, error=type(cause).__name__)
            raise UnavailableError(retry_after=RETRY_AFTER_SECONDS) from error
        except KeyRingError as error:
            self.on_fault("keys")
            _log.error("database_fault", fault="keys", error=type(error).__name__)
            raise UnavailableError(_NO_KEY, retry_after=RETRY_AFTER_SECONDS) from error

    def _immediate(self) -> Engine:
        return self.engine.execution_options(begin="BEGIN IMMEDIATE")


def open_sqlite(path: Path, key: bytes) -> Database:
    """Open the SQLite file, encrypted with this 32-byte key; create it if it is missing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
    engine = create_engine(
        "sqlite://",
        module=sqlcipher3.dbapi2,
        creator=partial(connect_sqlite, path, key),
        poolclass=QueuePool,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=LOCK_SECONDS,
        hide_parameters=True,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return Database(engine, FairLock())


def connect_sqlite(path: Path, key: bytes) -> Any:
    """Connect to an encrypted SQLite file and apply the required pragmas."""
    connection = sqlcipher3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
    )
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def open_postgres(url: str) -> Database:
    """Open the PostgreSQL database at this URL, as a role subject to row-level security."""
    psycopg_url = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(
        psycopg_url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=LOCK_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"options": _POSTGRES_OPTIONS, "connect_timeout": LOCK_SECONDS},
    )
    event.listen(engine, "connect", _set_role)
    return Database(engine)


def _set_role(connection: Any, _: Any) -> None:
    """Switch to the application role if it exists and the current role is a member."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_roles "
            "WHERE rolname = %s AND pg_has_role(current_user, oid, 'MEMBER')",
            (APP_ROLE,),
        )
        if cursor.fetchone():
            cursor.execute(f"SET ROLE {APP_ROLE}")
    connection.commit()


def require_row_level_security(database: Database) -> None:
    """Raise DatabaseError if the PostgreSQL login role can bypass row-level security.

    Only on a server of this computer, as developers and tests use it, such a role is accepted.
    """
    fault = find_bypassing_role(database)
    if fault and database.engine.url.host not in _OWN_HOSTS:
        raise DatabaseError(fault)


def require_application_role(database: Database) -> None:
    """Raise DatabaseError if the role after SET ROLE can bypass row-level security."""
    if database.is_embedded:
        return
    with database.begin_read() as connection:
        bypasses = connection.execute(
            text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        ).scalar_one()
    if bypasses:
        raise DatabaseError(f"DATABASE_URL: the login role cannot switch to {APP_ROLE}")


def find_bypassing_role(database: Database) -> str | None:
    """Return which PostgreSQL role can bypass row-level security, in one sentence, or None.

    RESET ROLE returns to the login role, and SET ROLE reaches every role of which it is a member:
    none of them may be a superuser or have BYPASSRLS.
    """
    if database.is_embedded:
        return None
    with database.begin_read() as connection:
        login_role, *bypassing_roles = connection.execute(
            text(
                "SELECT session_user UNION ALL (SELECT rolname FROM pg_roles "
                "WHERE (rolsuper OR rolbypassrls) AND pg_has_role(session_user, oid, 'MEMBER') "
                "ORDER BY rolname <> session_user, rolname LIMIT 1)"
            )
        ).scalars()
    if not bypassing_roles:
        return None
    by = "" if bypassing_roles == [login_role] else f" by SET ROLE {bypassing_roles[0]}"
    return (
        f"DATABASE_URL: the role {login_role} may bypass row-level security{by}; use a role "
        "without SUPERUSER and BYPASSRLS that is in no role with either"
    )


def _classify_fault(cause: BaseException) -> str:
    name, message = type(cause).__name__, str(cause)
    if name == "DiskFull" or "is full" in message or "disk I/O" in message:
        return "full"
    if "locked" in message or name in ("TimeoutError", "LockNotAvailable", "QueryCanceled"):
        return "locked"
    return "unreachable"
