"""Tenant isolation: sessions limited to one organisation, a second check behind every filter.

Every query of such a session is filtered by its organisation, and no statement on its connection
can insert a row of another one. On PostgreSQL, row-level security enforces both again, including
for statements from outside this code.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Engine, FromClause, Insert, Table, Update, event, insert, text
from sqlalchemy.engine import Connection
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlmodel import col

from api.store.database.tables import OWNED_TABLES, OwnedRow

ORGANISATION_SETTING = "nociscreen.organisation"
ALL_ORGANISATIONS_SETTING = "nociscreen.every_organisation"
_OPTION = "nociscreen_organisation"
_ORGANISATION_LOCK = "hashtextextended(:organisation, 7304182)"


class OrganisationSession(Session):
    """A session limited to one organisation, or open to all if `organisation` is None."""

    def __init__(self, connection: Connection, organisation: str | None) -> None:
        super().__init__(
            bind=connection,
            autoflush=False,
            expire_on_commit=False,
            execution_options={"synchronize_session": False},
        )
        self.organisation = organisation
        connection.execution_options(**{_OPTION: organisation})
        if connection.dialect.name == "postgresql":
            set_organisation(connection, organisation)

    def insert_row(self, table: type[OwnedRow], row: Mapping[str, Any]) -> None:
        """Insert one row. Raises RuntimeError if it belongs to another organisation."""
        self.connection().execute(_insert_statement(table), row)

    def insert_rows(self, table: type[OwnedRow], rows: list[dict[str, Any]]) -> None:
        """Insert rows. Raises RuntimeError if one belongs to another organisation."""
        self.connection().execute(_insert_statement(table), rows)


@lru_cache
def _insert_statement(table: type[OwnedRow]) -> Insert:
    """Cached because building the statement costs more than running it."""
    return insert(cast("Table", table.__table__))  # type: ignore[attr-defined]


def set_organisation(connection: Connection, organisation: str | None) -> None:
    """Set the organisation of PostgreSQL's policies, and take its lock in shared mode."""
    shared = "" if organisation is None else f", pg_advisory_xact_lock_shared({_ORGANISATION_LOCK})"
    parameters = {
        "one": ORGANISATION_SETTING,
        "organisation": organisation or "",
        "all": ALL_ORGANISATIONS_SETTING,
        "every": "on" if organisation is None else "off",
    }
    settings = "set_config(:one, :organisation, true), set_config(:all, :every, true)"
    connection.execute(text(f"SELECT {settings}{shared}"), parameters)


def lock_organisation(session: Session, organisation: str) -> None:
    """Lock the organisation until the transaction ends; waits for all its other transactions."""
    _lock(session, _ORGANISATION_LOCK, organisation)


def lock_erasure(session: Session, organisation: str) -> None:
    """Lock erasure and legal holds in the organisation until the transaction ends."""
    _lock(session, "hashtextextended(:organisation, 7304183)", organisation)


def _lock(session: Session, name: str, organisation: str) -> None:
    connection = session.connection()
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        statement = text(f"SELECT pg_advisory_xact_lock({name})")
        connection.execute(statement, {"organisation": organisation})


@event.listens_for(Engine, "before_execute")
def _refuse_foreign_rows(
    connection: Connection, statement: Any, many: Any, one: Any, _: Any
) -> None:
    """Require every INSERT to name the session's organisation, and every UPDATE to keep it."""
    organisation = connection.get_execution_options().get(_OPTION)
    if organisation is None or not isinstance(statement, Insert | Update):
        return
    if "organisation_id" not in cast("Table", statement.table).columns:
        return
    organisations = list(_written_organisations(statement, [*(many or ()), one or {}]))
    if any(value != organisation for value in organisations) or (
        isinstance(statement, Insert) and not organisations
    ):
        raise RuntimeError("a session of one organisation may not write a row of another")


def _written_organisations(statement: Any, parameters: list[Any]) -> Iterator[Any]:
    """Yield the organisation that each row is given; None if the database computes it."""
    if isinstance(statement, Insert) and statement.select is not None:
        yield None
    inline = statement._values or {}, *chain(*statement._multi_values)  # noqa: SLF001 - no public way
    for row in (*inline, *parameters):
        if not isinstance(row, Mapping):
            yield None
            continue
        for column, value in row.items():
            if getattr(column, "key", column) == "organisation_id":
                yield value.value if isinstance(value, BindParameter) else value


@event.listens_for(OrganisationSession, "do_orm_execute")
def _filter_by_organisation(state: ORMExecuteState) -> None:
    session: Any = state.session
    if session.organisation is None:
        return
    if not state.is_orm_statement:
        raise RuntimeError(
            "a session of one organisation can only query mapped tables of the store"
        )
    if not state.is_column_load:
        criteria = (
            _build_criterion(session.organisation, table)
            for table in find_owned_tables(state.statement)
        )
        state.statement = state.statement.options(*criteria)


@lru_cache(maxsize=5000)
def _build_criterion(organisation: str, table: type[OwnedRow]) -> LoaderCriteriaOption:
    return with_loader_criteria(
        table, col(table.organisation_id) == organisation, include_aliases=True
    )


def find_owned_tables(statement: Any) -> tuple[type[OwnedRow], ...]:
    """Return the owned tables that a statement names anywhere; all of them if it names none.

    Each filter makes a statement costlier to build, so a statement gets no filter that it does not
    need. The answer is remembered as long as the statement lives.
    """
    tables = _found_tables.get(statement)
    if tables is None:
        names = _collect_table_names(statement)
        tables = tuple(table for name, table in _TABLE_NAMES if name in names)
        tables = _found_tables[statement] = tables or OWNED_TABLES
    return tables


_TABLE_NAMES = [(str(table.__tablename__), table) for table in OWNED_TABLES]
_found_tables: WeakKeyDictionary[Any, tuple[type[OwnedRow], ...]] = WeakKeyDictionary()


def _collect_table_names(statement: Any) -> set[str]:
    """Return the name of every table in the parts of a statement, and of those its columns are of.

    Each part is visited once, which a visitor of SQLAlchemy does not do. The rows of an INSERT of
    many values are not parts: for such a statement no name is returned.
    """
    if getattr(statement, "_multi_values", ()):
        return set()
    names: set[str] = set()
    visited: dict[int, Any] = {}
    waiting = [statement]
    while waiting:
        element = waiting.pop()
        if id(element) in visited:
            continue
        visited[id(element)] = element
        if isinstance(element, Table):
            names.add(element.name)
            continue
        waiting.extend(element.get_children())
        source = getattr(element, "table", None)  # a column does not count it as its part
        if isinstance(source, FromClause):
            waiting.append(source)
    return names
