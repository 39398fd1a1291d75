"""The database: an encrypted SQLite file of our own, or PostgreSQL by its address.

Both give transactions of one kind: `writing` is serialised as the database needs it, `reading` sees
one state. Whatever goes wrong in storage, or with the keys that it needs, is one Problem,
`unavailable`, and a line in the log.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlcipher3  # type: ignore[import-untyped]
import structlog
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import (
    ArgumentError,
    CompileError,
    DataError,
    DBAPIError,
    IntegrityError,
    MultipleResultsFound,
    NoResultFound,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.pool import QueuePool

from api.problems import Problem
from api.store.key_ring import KeyRingError
from api.store.locks import Turns

APP_ROLE = "nociscreen_app"
BUSY_SECONDS = 5
LOCK_SECONDS = 10
TURN_SECONDS = 600
CONNECTIONS = 24
RETRY_SECONDS = "5"
REMEMBERED_SECONDS = 10.0
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    f"busy_timeout={BUSY_SECONDS * 1000}",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "secure_delete=ON",
    "temp_store=MEMORY",
)
_POSTGRES_OPTIONS = (
    f"-c lock_timeout={LOCK_SECONDS}s -c statement_timeout=30s "
    "-c idle_in_transaction_session_timeout=60s -c timezone=UTC"
)
_OURS = (
    ArgumentError,
    CompileError,
    DataError,
    IntegrityError,
    MultipleResultsFound,
    NoResultFound,
    ProgrammingError,
)
"""What a mistake of ours raises: the database itself is well."""
AILING = {
    "full": "the database is full",
    "locked": "the database is locked",
    "away": "the database does not answer",
}
"""What is wrong, in words that tell no secret."""

_NO_KEY = "A key that this needs is missing: whoever runs the service must act."
_log = structlog.get_logger("nociscreen")


class DatabaseError(Exception):
    """The database may not be used as it stands; whoever runs the service must act."""


class Database:
    """An engine, and how transactions begin on it."""

    def __init__(self, engine: Engine, turns: Turns | None = None) -> None:
        self.engine = engine
        self.on_fault: Callable[[str], None] = lambda _: None
        self._turns = turns
        self._failed: tuple[float, str] | None = None

    @property
    def ails(self) -> str | None:
        """How storage failed a moment ago, where nothing was written since: `full`, `locked` ..."""
        at, kind = self._failed or (float("-inf"), None)
        return kind if time.monotonic() - at < REMEMBERED_SECONDS else None

    @property
    def embedded(self) -> bool:
        """Whether this is the SQLite file."""
        return self._turns is not None

    @contextmanager
    def writing(self, wait_seconds: float = LOCK_SECONDS) -> Iterator[Connection]:
        """A transaction that may write; committed at the end, undone by any exception.

        On SQLite it waits so long for the other writers of this process.
        """
        with self.faults_told():
            if self._turns is None:
                with self.engine.begin() as connection:
                    yield connection
            else:
                with self._turns.taken(wait_seconds), self._immediate().begin() as connection:
                    yield connection
            self._failed = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the turn to write, for a transaction on `immediate` that another begins."""
        if self._turns is None:
            yield
        else:
            with self._turns.taken(TURN_SECONDS):
                yield

    @property
    def immediate(self) -> Engine:
        """The engine whose transactions may write from their beginning; take `turn` first."""
        return self.engine if self._turns is None else self._immediate()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self.faults_told(), self.engine.begin() as connection:
            yield connection

    def forget_erased(self) -> None:
        """Empty SQLite's log of pages as they were; PostgreSQL's own cleaning does it there."""
        if self.embedded:
            with self.faults_told(), self.engine.connect() as connection:
                cursor = connection.connection.cursor()
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def faults_told(self) -> Iterator[None]:
        """Turn trouble of the database into the Problem `unavailable`; ours stays ours."""
        try:
            yield
        except _OURS:
            raise
        except (SQLAlchemyError, sqlcipher3.Error, TimeoutError) as error:
            if isinstance(error, StatementError) and not isinstance(error, DBAPIError):
                raise  # a value could not be bound: the database never saw it
            cause = (error.orig if isinstance(error, DBAPIError) else error) or error
            kind = _kind(cause)
            self._failed = time.monotonic(), kind
            self.on_fault(kind)
            _log.warning("storage", fault=kind, error=type(cause).__name__)
            raise _unavailable() from error
        except KeyRingError as error:
            self.on_fault("keys")
            _log.error("storage", fault="keys", error=type(error).__name__)
            raise _unavailable(_NO_KEY) from error

    def _immediate(self) -> Engine:
        return self.engine.execution_options(begin="BEGIN IMMEDIATE")


def embedded(path: Path, key: bytes) -> Database:
    """The SQLite file, encrypted by this key of 32 bytes; made where it is missing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)

    def connect() -> Any:
        return connected(path, key)

    engine = create_engine(
        "sqlite://",
        module=sqlcipher3.dbapi2,
        creator=connect,
        poolclass=QueuePool,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=LOCK_SECONDS,
        hide_parameters=True,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return Database(engine, Turns())


def connected(path: Path, key: bytes) -> Any:
    """A connection to an encrypted file, set up as every one must be."""
    connection = sqlcipher3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
    )
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def postgres(url: str) -> Database:
    """PostgreSQL at this address, as a role that row-level security binds."""
    address = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(
        address,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=LOCK_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"options": _POSTGRES_OPTIONS, "connect_timeout": LOCK_SECONDS},
    )
    event.listen(engine, "connect", _take_role)
    return Database(engine)


def _take_role(connection: Any, _: Any) -> None:
    """Step down to the role of the application, where it exists and this one may."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_roles "
            "WHERE rolname = %s AND pg_has_role(current_user, oid, 'MEMBER')",
            (APP_ROLE,),
        )
        if cursor.fetchone():
            cursor.execute(f"SET ROLE {APP_ROLE}")
    connection.commit()


def check_walls(database: Database) -> None:
    """Refuse a PostgreSQL role that row-level security does not bind. Raises DatabaseError."""
    if database.embedded:
        return
    with database.reading() as connection:
        bypasses = connection.execute(
            text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        ).scalar_one()
    if bypasses:
        raise DatabaseError("DATABASE_URL names a role that may bypass row-level security")


def _unavailable(detail: str | None = None) -> Problem:
    return Problem("unavailable", detail, headers={"Retry-After": RETRY_SECONDS})


def _kind(cause: BaseException) -> str:
    """What is wrong with the storage, by one of a few words."""
    name, text = type(cause).__name__, str(cause)
    if name == "DiskFull" or "is full" in text or "disk I/O" in text:
        return "full"
    if "locked" in text or name in ("TimeoutError", "LockNotAvailable", "QueryCanceled"):
        return "locked"
    return "away"
