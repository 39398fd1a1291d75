"""Sessions that see one organisation: the second wall behind every filter.

Each query of a session is held to its organisation, whether it says so or not, and no statement on
its connection puts in a row of another, however it is made; on PostgreSQL row-level security holds
both once more, also against what is not a statement of ours.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, cast

from sqlalchemy import BindParameter, Engine, Insert, Table, Update, event, insert, text
from sqlalchemy.engine import Connection
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlmodel import col

from api.store.database.tables import OWNED, Owned

ORGANISATION = "nociscreen.organisation"
EVERY = "nociscreen.every_organisation"
_HELD = "nociscreen_organisation"
_TURN = "hashtextextended(:organisation, 7304182)"


class OrganisationSession(Session):
    """A session of one organisation, or of all where `organisation` is None."""

    def __init__(self, connection: Connection, organisation: str | None) -> None:
        super().__init__(
            bind=connection,
            autoflush=False,
            expire_on_commit=False,
            execution_options={"synchronize_session": False},
        )
        self.organisation = organisation
        connection.execution_options(**{_HELD: organisation})
        if connection.dialect.name == "postgresql":
            hold(connection, organisation)

    def put(self, table: type[Owned], row: Mapping[str, Any]) -> None:
        """Put in one row of plain values. Raises RuntimeError where it is another's."""
        self.connection().execute(_putting(table), row)


@lru_cache
def _putting(table: type[Owned]) -> Insert:
    """The statement, made once: to build it anew costs more than to run it."""
    return insert(cast("Table", table.__table__))  # type: ignore[attr-defined]


def hold(connection: Connection, organisation: str | None) -> None:
    """Tell PostgreSQL's policies whose rows this transaction may touch.

    In one organisation it also holds off `alone`, which waits for it, until it ends.
    """
    shared = "" if organisation is None else f", pg_advisory_xact_lock_shared({_TURN})"
    connection.execute(
        text(
            f"SELECT set_config(:one, :organisation, true), set_config(:all, :every, true){shared}"
        ),
        {
            "one": ORGANISATION,
            "organisation": organisation or "",
            "all": EVERY,
            "every": "on" if organisation is None else "off",
        },
    )


def alone(session: Session, organisation: str) -> None:
    """Be the only transaction in the organisation, from now to its end; waits for the others."""
    _lock(session, _TURN, organisation)


def in_turn(session: Session, organisation: str) -> None:
    """Be the only one that erases, or keeps from being erased, until the transaction ends."""
    _lock(session, "hashtextextended(:organisation, 7304183)", organisation)


def _lock(session: Session, name: str, organisation: str) -> None:
    connection = session.connection()
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        connection.execute(
            text(f"SELECT pg_advisory_xact_lock({name})"),
            {"organisation": organisation},
        )


@event.listens_for(Engine, "before_execute")
def _refuse_foreign_rows(
    connection: Connection, statement: Any, many: Any, one: Any, _: Any
) -> None:
    """Whatever puts a row in, or moves it, must say plainly that it is the organisation's own."""
    held = connection.get_execution_options().get(_HELD)
    if held is None or not isinstance(statement, Insert | Update) or _is_shared(statement):
        return
    named = list(_named_organisations(statement, [*(many or ()), one or {}]))
    if any(each != held for each in named) or (isinstance(statement, Insert) and not named):
        raise RuntimeError("in one organisation no row of another is put in")


def _is_shared(statement: Insert | Update) -> bool:
    return "organisation_id" not in cast("Table", statement.table).columns


def _named_organisations(statement: Any, parameters: list[Any]) -> Iterator[Any]:
    """Every organisation that rows are given; one that is worked out is not known: None."""
    if isinstance(statement, Insert) and statement.select is not None:
        yield None
    built = statement._values or {}, *chain(*statement._multi_values)  # noqa: SLF001 - as it is
    for row in (*built, *parameters):
        if not isinstance(row, Mapping):
            yield None
            continue
        for column, value in row.items():
            if getattr(column, "key", column) == "organisation_id":
                yield value.value if isinstance(value, BindParameter) else value


@event.listens_for(OrganisationSession, "do_orm_execute")
def _hold_to_organisation(state: ORMExecuteState) -> None:
    session: Any = state.session
    if session.organisation is None:
        return
    if not state.is_orm_statement:
        raise RuntimeError("in one organisation only tables of the store are asked, by their class")
    if not state.is_column_load:
        state.statement = state.statement.options(*_criteria(session.organisation))


@lru_cache(maxsize=1000)
def _criteria(organisation: str) -> tuple[LoaderCriteriaOption, ...]:
    return tuple(
        with_loader_criteria(
            table, col(table.organisation_id) == organisation, include_aliases=True
        )
        for table in OWNED
    )
