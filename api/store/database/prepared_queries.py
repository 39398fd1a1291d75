"""Prepared queries: the few narrow ones that every request asks, past SQLAlchemy's ORM.

They are no cache. Each one reads the database as it is, so a change holds for the next request.
"""

from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import Any

from sqlalchemy import Dialect, Engine, Select
from sqlalchemy.engine import Connection, result_tuple
from sqlalchemy.engine.interfaces import DBAPICursor

from api.store.database.tenancy import ALL_ORGANISATIONS_SETTING

WAIT_SECONDS = 10


class PreparedQuery:
    """A SELECT that is compiled once; its parameters are all bound by name.

    Values come as the driver returns them: SQLite has no booleans and no instants.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, dict[str, Any], list[str] | None]] = {}
        self._build_row = result_tuple([str(column.key) for column in statement.selected_columns])

    def fetch(self, connection: Connection, **parameters: Any) -> list[Any]:
        """Return every row, as part of the transaction of this connection."""
        return self.run(connection.connection.cursor(), connection.dialect, parameters)

    def run(
        self, cursor: DBAPICursor, dialect: Dialect, parameters: Mapping[str, Any]
    ) -> list[Any]:
        """Return every row by this cursor of the driver."""
        text, constants, order = self._compiled.get(dialect.name) or self._compile(dialect)
        values: Any = constants | dict(parameters)
        try:
            cursor.execute(text, values if order is None else [values[name] for name in order])
            # all rows: a statement that is still open would hold on to the state it reads
            return [self._build_row(row) for row in cursor.fetchall()]
        finally:
            cursor.close()

    def _compile(self, dialect: Dialect) -> tuple[str, dict[str, Any], list[str] | None]:
        compiled = self._statement.compile(dialect=dialect)
        order = list(compiled.positiontup or ()) if compiled.positional else None
        form = compiled.string, dict(compiled.params), order
        self._compiled[dialect.name] = form
        return form


class LookUpConnection:
    """One connection kept for prepared queries over all organisations, each its own transaction.

    Thread-safe. It is never given back to the pool while it is used, because on PostgreSQL it sees
    the rows of every organisation.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = Lock()
        self._connection: Any = None

    def fetch(self, query: PreparedQuery, **parameters: Any) -> list[Any]:
        """Return every row as committed now. Raises TimeoutError and the driver's errors."""
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise TimeoutError("the connection for look-ups was not free in time")
        try:
            was_open = self._connection is not None
            try:
                return self._run(query, parameters)
            except self._engine.dialect.loaded_dbapi.Error:
                self._drop()
                if not was_open:
                    raise
            return self._run(query, parameters)  # the server may have closed it meanwhile
        finally:
            self._lock.release()

    def fetch_at_once(self, query: PreparedQuery, **parameters: Any) -> list[Any] | None:
        """Return every row, or None where that takes another thread or opening a connection."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            return None if self._connection is None else self._run(query, parameters)
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the connection; the next query opens another."""
        with self._lock:
            self._drop()

    def _run(self, query: PreparedQuery, parameters: Mapping[str, Any]) -> list[Any]:
        if self._connection is None:
            self._connection = self._open()
        return query.run(self._connection.cursor(), self._engine.dialect, parameters)

    def _open(self) -> Any:
        pooled = self._engine.raw_connection()  # referenced, or the pool gives it to another
        if self._engine.dialect.name != "postgresql":
            return pooled
        connection: Any = pooled.driver_connection
        pooled.detach()
        connection.rollback()
        connection.autocommit = True
        connection.execute(f"SELECT set_config('{ALL_ORGANISATIONS_SETTING}', 'on', false)")
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._engine.dialect.loaded_dbapi.Error):
                connection.close()
