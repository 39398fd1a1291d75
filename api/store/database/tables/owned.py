"""Column and foreign key definitions shared by the tables, and the organisation table."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, LargeBinary
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


def keyed_hash_column() -> Any:
    """Define a column for a keyed hash that is searched by."""
    return Field(default=None, sa_type=LargeBinary, nullable=False)


def reference_client(*, cascade: bool = False) -> ForeignKeyConstraint:
    """Define a foreign key to a client of the same organisation."""
    return ForeignKeyConstraint(
        ["organisation_id", "client_id"],
        ["client.organisation_id", "client.id"],
        ondelete="CASCADE" if cascade else None,
    )


def reference_screening() -> ForeignKeyConstraint:
    """Define a foreign key to a screening of the same organisation; erased with it."""
    return ForeignKeyConstraint(
        ["organisation_id", "screening_id"],
        ["screening.organisation_id", "screening.id"],
        ondelete="CASCADE",
    )


class OrganisationRow(SQLModel, table=True):
    """A clinic or hospital that owns its screenings."""

    __tablename__: ClassVar[Any] = "organisation"

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    name: str = Field(max_length=200)
    test: bool
    active: bool
    retention_years: int | None
    created_at: datetime = instant_column()


class OwnedRow(SQLModel):
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
