"""What every table has in common, and the organisation that rows belong to."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, LargeBinary
from sqlmodel import Field, SQLModel

from api.store.database.column_types import Instant

ID = 64
WORD = 80


def instant(*, nullable: bool = False) -> Any:
    """A moment in time."""
    return Field(default=None, sa_type=Instant, nullable=nullable)


def sealed(*, nullable: bool = False) -> Any:
    """Bytes that only a key of the organisation opens."""
    return Field(default=None, sa_type=LargeBinary, nullable=nullable)


def keyed() -> Any:
    """A keyed hash, to search by."""
    return Field(default=None, sa_type=LargeBinary, nullable=False)


def of_client(*, cascade: bool = False) -> ForeignKeyConstraint:
    """A client of the same organisation."""
    return ForeignKeyConstraint(
        ["organisation_id", "client_id"],
        ["client.organisation_id", "client.id"],
        ondelete="CASCADE" if cascade else None,
    )


def of_screening() -> ForeignKeyConstraint:
    """A screening of the same organisation, erased with it."""
    return ForeignKeyConstraint(
        ["organisation_id", "screening_id"],
        ["screening.organisation_id", "screening.id"],
        ondelete="CASCADE",
    )


class OrganisationRow(SQLModel, table=True):
    """A clinic or hospital that owns its screenings."""

    __tablename__: ClassVar[Any] = "organisation"

    id: str = Field(primary_key=True, max_length=ID)
    name: str = Field(max_length=200)
    test: bool
    active: bool
    retention_years: int | None
    created_at: datetime = instant()


class Owned(SQLModel):
    """A row of one organisation; every query for it is held to that organisation."""

    organisation_id: str = Field(primary_key=True, max_length=ID, foreign_key="organisation.id")
