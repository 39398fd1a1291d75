"""The unit of work in one organisation: its session, field encryption and audit rows."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar, overload
from uuid import uuid4

from sqlalchemy import ColumnElement, Select, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from api.store.audit import chain
from api.store.audit.chain import AuditKey
from api.store.database.prepared_queries import OrganisationQuery
from api.store.database.tables import OwnedRow, WithdrawalRow
from api.store.database.tenancy import OrganisationSession
from api.store.errors import NotFoundError, StoreError
from api.store.keys.field_encryption import DataKeys, FieldLocation
from api.store.withdrawal_ledger import Withdrawal, WithdrawalLedger
from schemas.organisations.audit import Action, AuditedAction, AuthenticationMeans

Row = TypeVar("Row", bound=OwnedRow)
Value = TypeVar("Value")


class Authority(NamedTuple):
    """The scopes and the request limit of an actor: the most that it may give to others."""

    scopes: frozenset[str] = frozenset()
    requests_per_minute: int = 0
    default_requests_per_minute: int = 0
    """The limit of a client without one of its own."""


class Actor(NamedTuple):
    """The acting client, practitioner or operator, with organisation, means and request."""

    organisation: str
    id: str
    means: AuthenticationMeans
    route: str = ""
    request_id: str = ""
    authority: Authority = Authority()


class Transaction:
    """A unit of work, open until its block ends; it must write at least one audit row."""

    def __init__(  # noqa: PLR0913 - each part of a unit of work
        self,
        session: OrganisationSession,
        actor: Actor,
        data_keys: DataKeys,
        audit_key: AuditKey,
        now: datetime,
        *,
        ledger: WithdrawalLedger | None = None,
    ) -> None:
        self.session = session
        self.actor = actor
        self.data_keys = data_keys
        self.now = now
        self.audit_row_count = 0
        self.stored_statuses: list[str] = []
        self.withdrawal_ids: list[str] = []
        self.group_acts: list[tuple[AuditedAction, datetime]] | None = None
        """What is audited together with other units of work; None to write each row at once."""
        self._audit_key = audit_key
        self._ledger = ledger

    @property
    def organisation(self) -> str:
        """The id of the organisation."""
        return self.actor.organisation

    @property
    def current_key_id(self) -> str:
        """The id of the current data-encryption key."""
        return self.data_keys.current.id

    @overload
    def select(self, table: type[Row], /) -> Select[Row]: ...

    @overload
    def select(self, column: Any, /, *more_columns: Any) -> Select[*tuple[Any, ...]]: ...

    def select(self, *entities: Any) -> Any:
        """Return a query for a table or its columns, limited to the organisation."""
        table = getattr(entities[0], "class_", entities[0])
        return select(*entities).where(self._match_organisation(table))

    def find(
        self, table: type[Row], *conditions: ColumnElement[bool], lock: bool = False
    ) -> Row | None:
        """Return the one row that matches, locked on request until the end; None without one."""
        query = self.select(table).where(*conditions)
        return self.session.execute(query.with_for_update() if lock else query).scalar_one_or_none()

    def load_row(
        self, table: type[Row], row_id: str, *conditions: ColumnElement[bool], lock: bool = False
    ) -> Row:
        """Return the row with this id if it meets the conditions. Raises NotFoundError."""
        with_id: Any = table
        row = self.find(table, with_id.id == row_id, *conditions, lock=lock)
        if row is None:
            raise NotFoundError
        return row

    def list_rows(self, query: Select[Value]) -> Sequence[Value]:
        """Return the first column of each row, or the rows of a table."""
        return self.session.execute(query).scalars().all()

    def fetch(self, query: OrganisationQuery, **parameters: str | bytes) -> list[Any]:
        """Return every row of a prepared query in the organisation."""
        connection = self.session.connection()
        return query.fetch(connection, organisation=self.organisation, **parameters)

    def fetch_row(
        self, table: type[Row], query: OrganisationQuery, **parameters: str | bytes
    ) -> Row | None:
        """Return the one row of a prepared query of every column of this table, or None."""
        rows = self.fetch(query, **parameters)
        return table(**rows[0]._asdict()) if rows else None

    def count(self, table: type[OwnedRow], *conditions: ColumnElement[bool]) -> int:
        """Return the number of rows that match."""
        query = (
            select(func.count())
            .select_from(table)
            .where(self._match_organisation(table), *conditions)
        )
        return self.session.execute(query).scalar_one()

    def insert(self, table: type[OwnedRow], row: Mapping[str, Any], **plaintexts: bytes) -> None:
        """Insert a row into the organisation; the columns of `plaintexts` are encrypted first."""
        values = {"organisation_id": self.organisation, **row}
        if plaintexts:
            row_name = "|".join(str(values[column]) for column in table.name_columns)
            values |= self.encrypt_columns(table, row_name, **plaintexts)
        self.session.insert_row(table, values)

    def insert_unique(
        self, table: type[OwnedRow], row: Mapping[str, Any], error: StoreError, **plaintexts: bytes
    ) -> None:
        """Insert a row; raise this error, and undo nothing else, if it violates a constraint."""
        try:
            with self.session.begin_nested():
                self.insert(table, row, **plaintexts)
        except IntegrityError:
            raise error from None

    def update(
        self, table: type[OwnedRow], values: Mapping[str, Any], *conditions: ColumnElement[bool]
    ) -> int:
        """Update the rows that match and return their number."""
        is_selected = self._match_organisation(table), *conditions
        statement = update(table).where(*is_selected).values(**values)
        return self._execute(statement)

    def delete(self, table: type[OwnedRow], *conditions: ColumnElement[bool]) -> int:
        """Delete the rows that match and return their number."""
        return self._execute(delete(table).where(self._match_organisation(table), *conditions))

    def _match_organisation(self, table: type[OwnedRow]) -> ColumnElement[bool]:
        return col(table.organisation_id) == self.organisation

    def _execute(self, statement: Any) -> int:
        result: Any = self.session.execute(statement)
        return int(result.rowcount)

    def encrypt_columns(
        self, table: type[OwnedRow], row_name: str, **plaintexts: bytes
    ) -> dict[str, Any]:
        """Return these columns of a row, encrypted by the current key, and the id of that key."""
        key = self.data_keys.current
        return key.encrypt_columns(str(table.__tablename__), row_name, plaintexts)

    def encrypt_row(
        self, row: OwnedRow, plaintexts: Mapping[str, bytes], indexes: Mapping[str, bytes]
    ) -> None:
        """Set these columns of a row, encrypted by the current key, and its keyed hashes."""
        encrypted = self.encrypt_columns(type(row), row.row_name, **plaintexts)
        for column, value in {**encrypted, **indexes}.items():
            setattr(row, column, value)

    def decrypt_column(self, row: Any, column: str) -> bytes:
        """Decrypt a column of a row of this organisation. Raises DecryptionError."""
        location = FieldLocation(row.__tablename__, column, row.row_name)
        return self.data_keys.decrypt(row.key_id, location, getattr(row, column))

    def hash_columns(self, **values: str | None) -> dict[str, bytes]:
        """Return the keyed hash of each value, for the search column of that name."""
        return self.data_keys.current.hash_columns(values)

    def match_hash(self, column: Any, *values: str | None) -> ColumnElement[bool]:
        """Return the condition that a search column holds the keyed hash of one of these values."""
        return col(column).in_(
            [
                hash_
                for value in values
                for hash_ in self.data_keys.compute_keyed_hashes(column.key, value)
            ]
        )

    def compute_fingerprint(self, content: bytes) -> str:
        """Return a keyed hash (hexadecimal) that key rotation does not change."""
        return hmac.digest(self._audit_key.secret, b"fingerprint\x1f" + content, "sha256").hex()

    def withdraw(self, kind: str, *targets: str) -> None:
        """Enter in the ledger that these records lose their rights, or are erased.

        Call it when nothing but the commit can fail any more. A restore withdraws them again.
        """
        if self._ledger is None or not targets:
            return
        entry = Withdrawal(str(uuid4()), self.organisation, kind, targets)
        self.insert(WithdrawalRow, self.build_withdrawal_row(entry))
        self.withdrawal_ids.append(entry.id)
        self._ledger.append(entry)

    def build_withdrawal_row(self, entry: Withdrawal) -> dict[str, Any]:
        """Return the row by which the database knows an entry of the ledger."""
        targets = "\n".join(entry.targets)
        return {"id": entry.id, "at": self.now, "kind": entry.kind, "targets": targets}

    def audit(
        self,
        action: Action,
        kind: str = "",
        target: str = "",
        *,
        outcome: str = "ok",
        count: int = 1,
    ) -> None:
        """Write an audit row in this transaction. Call it last: it locks the audit chain."""
        act = AuditedAction(
            actor=self.actor.id,
            means=self.actor.means,
            action=action,
            outcome=outcome,
            kind=kind,
            target=target,
            route=self.actor.route,
            request_id=self.actor.request_id,
            count=count,
        )
        if self.group_acts is None:
            chain.append_entry(self.session, self._audit_key, act, self.now)
        else:
            self.group_acts.append((act, self.now))
        self.audit_row_count += 1
