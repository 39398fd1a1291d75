"""Prepared queries: the few that every request needs, without SQLAlchemy's ORM.

They are not a cache: each one reads the database as it is, so a change holds for the next request.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Engine, Select, bindparam
from sqlalchemy.engine import Connection, result_tuple
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.orm import Mapped, with_loader_criteria
from sqlmodel import col

from api.store.database.tables import OwnedRow
from api.store.database.tenancy import ALL_ORGANISATIONS_SETTING, find_owned_tables

WAIT_SECONDS = 10


class _CompiledQuery(NamedTuple):
    text: str
    constants: dict[str, Any]
    order: list[str] | None
    """The parameters by their position, for a driver that does not know their names."""
    converters: list[tuple[int, Callable[[Any], Any]]]
    """What makes the driver's value of a column one of its type, by the number of the column."""

    def bind(self, parameters: Mapping[str, Any]) -> Any:
        """Return the values of all parameters in the form that the driver takes."""
        values = self.constants | dict(parameters)
        return values if self.order is None else tuple(values[name] for name in self.order)

    def convert(self, row: Sequence[Any]) -> Sequence[Any]:
        """Return the values of a row of the driver as those of the columns."""
        if not self.converters:
            return row
        values = list(row)
        for number, convert in self.converters:
            values[number] = convert(values[number])
        return values


class PreparedQuery:
    """A SELECT that is compiled once; its parameters, texts or bytes, are all bound by name."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._statement = statement
        self._compiled: dict[str, _CompiledQuery] = {}
        self._build_row = result_tuple([str(column.key) for column in statement.selected_columns])

    def fetch(self, connection: Connection, **parameters: Any) -> list[Any]:
        """Return every row, as part of the transaction of this connection."""
        return self.run(connection.connection.cursor(), connection.dialect, parameters)

    def run(
        self, cursor: DBAPICursor, dialect: Dialect, parameters: Mapping[str, Any]
    ) -> list[Any]:
        """Return every row by this cursor of the driver."""
        query = self._compiled.get(dialect.name) or self._compile(dialect)
        try:
            cursor.execute(query.text, query.bind(parameters))
            # all rows: a statement that is still open would hold on to the state it reads
            rows = cursor.fetchall()
        finally:
            cursor.close()
        return [self._build_row(query.convert(row)) for row in rows]

    def _compile(self, dialect: Dialect) -> _CompiledQuery:
        compiled = self._statement.compile(dialect=dialect)
        converters: list[tuple[int, Callable[[Any], Any]]] = [
            (number, convert)
            for number, column in enumerate(self._statement.selected_columns)
            if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]
        query = self._compiled[dialect.name] = _CompiledQuery(
            compiled.string,
            dict(compiled.params),
            list(compiled.positiontup or ()) if compiled.positional else None,
            converters,
        )
        return query


class OrganisationQuery(PreparedQuery):
    """A prepared query of one organisation, which `Transaction.fetch` binds.

    Every table that the statement names and that belongs to organisations is limited to it.
    """

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        criteria = (
            with_loader_criteria(
                table,
                col(table.organisation_id) == bindparam("organisation"),
                include_aliases=True,
            )
            for table in find_owned_tables(statement)
        )
        super().__init__(statement.options(*criteria))


def list_columns(table: type[OwnedRow]) -> tuple[Mapped[Any], ...]:
    """Return every column of a table, for a prepared query of whole rows."""
    return tuple(col(getattr(table, name)) for name in table.model_fields)


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
