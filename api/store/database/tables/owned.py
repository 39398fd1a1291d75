"""Definitions shared by the tables, and the tables of organisations, keys and audit chains."""

import re
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ColumnElement, ForeignKeyConstraint, LargeBinary, Text, and_
from sqlalchemy.orm import declared_attr
from sqlmodel import Field, SQLModel

from api.store.database.column_types import Instant

ID_LENGTH = 64
WORD_LENGTH = 80


def instant_column(*, nullable: bool = False) -> Any:
    """Define a column for an aware instant."""
    return Field(default=None, sa_type=Instant, nullable=nullable)


def encrypted_column(*, nullable: bool = False) -> Any:
    """Define a column for bytes encrypted or wrapped by a key."""
    return Field(default=None, sa_type=LargeBinary, nullable=nullable)


def quota_column() -> Any:
    """Define a column for a quota of an organisation; null is the default of the settings."""
    return Field(default=None, sa_type=BigInteger, nullable=True)


def keyed_hash_column() -> Any:
    """Define a column for a keyed hash that is searched by."""
    return Field(default=None, sa_type=LargeBinary, nullable=False)


def reference(column: str, table: str = "", *, cascade: bool = True) -> ForeignKeyConstraint:
    """Define a foreign key to a row of the same organisation; the row is deleted with that one.

    By default the table is the one that the column names: `client_id` refers to `client`.
    """
    table = table or column.removesuffix("_id")
    return ForeignKeyConstraint(
        ["organisation_id", column],
        [f"{table}.organisation_id", f"{table}.id"],
        ondelete="CASCADE" if cascade else None,
    )


class StoredRow(SQLModel):
    """Base of every table, which is named after its class: `ClientKeyRow` is `client_key`."""

    @declared_attr.directive
    def __tablename__(cls) -> str:  # noqa: N805 - SQLAlchemy passes the class
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__.removesuffix("Row")).lower()


class OrganisationRow(StoredRow, table=True):
    """A clinic or hospital that owns its screenings."""

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    name: str = Field(max_length=200)
    test: bool
    active: bool
    retention_years: int | None
    second_approval: bool
    created_at: datetime = instant_column()
    requests_per_minute: int | None = quota_column()
    render_seconds: int | None = quota_column()
    batch_bytes: int | None = quota_column()
    waiting_rows: int | None = quota_column()


class OwnedRow(StoredRow):
    """Base of every table whose rows belong to one organisation."""

    organisation_id: str = Field(
        primary_key=True, max_length=ID_LENGTH, foreign_key="organisation.id"
    )
    name_columns: ClassVar[tuple[str, ...]] = ("id",)
    """The columns whose values name a row in the associated data of its encrypted fields."""

    @property
    def row_name(self) -> str:
        """The name of the row in the associated data of its encrypted fields."""
        return "|".join(str(getattr(self, column)) for column in self.name_columns)


def match_reference(column: Any, table: Any) -> ColumnElement[bool]:
    """Return the condition that a row of this table is the one that the column refers to."""
    return and_(table.organisation_id == column.class_.organisation_id, table.id == column)


class LetterheadRow(OwnedRow, table=True):
    """The letterhead of an organisation; address lines are separated by newlines."""

    address: str = Field(sa_type=Text)
    logo: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)
    time_zone: str = Field(max_length=60)
    locale: str = Field(max_length=10)


class OrganisationKeyRow(OwnedRow, table=True):
    """A key of an organisation, wrapped by a key of the key ring. `kind`: data or audit.

    One of each kind is current; an older data key still decrypts, until all rows that it encrypted
    are encrypted again.
    """

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    current: bool
    ring_key_id: str = Field(max_length=ID_LENGTH)
    wrapped: bytes = encrypted_column()
    created_at: datetime = instant_column()


class AuditRow(OwnedRow, table=True):
    """One act, chained to the previous one of its organisation. Never changed or deleted."""

    seq: int = Field(primary_key=True, sa_type=BigInteger)
    at: datetime = instant_column()
    actor: str = Field(max_length=ID_LENGTH)
    means: str = Field(max_length=WORD_LENGTH)
    action: str = Field(max_length=WORD_LENGTH)
    outcome: str = Field(max_length=WORD_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    target: str = Field(max_length=ID_LENGTH)
    route: str = Field(max_length=200)
    request_id: str = Field(max_length=ID_LENGTH)
    count: int
    key_id: str = Field(max_length=ID_LENGTH)
    mac: bytes = encrypted_column()


class AuditHeadRow(OwnedRow, table=True):
    """The end of an organisation's audit chain; locked while a row is appended."""

    seq: int = Field(sa_type=BigInteger)
    key_id: str = Field(max_length=ID_LENGTH)
    mac: bytes = encrypted_column()
    seal: bytes = encrypted_column()
