"""Tables of allowed hosts, destinations, deliveries, delivery attempts and patient merges.

A delivery belongs to its screening and is erased with it, including its encrypted payload.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from api.store.database.tables.owned import ID, WORD, Owned, instant, of_screening, sealed


class AllowedPlaceRow(Owned, table=True):
    """A host and port on the organisation's allowlist for outgoing connections."""

    __tablename__: ClassVar[Any] = "allowed_place"

    host: str = Field(primary_key=True, max_length=253)
    port: int = Field(primary_key=True)
    private: bool
    added_at: datetime = instant()


class DestinationRow(Owned, table=True):
    """A receiver of deliveries, with encrypted address and secrets; the lease holder sends."""

    __tablename__: ClassVar[Any] = "destination"

    id: str = Field(primary_key=True, max_length=ID)
    name: str = Field(max_length=200)
    profile: str = Field(max_length=WORD)
    active: bool
    follows: bool
    created_at: datetime = instant()
    last_seq: int = Field(sa_type=BigInteger)
    lease_holder: str | None = Field(max_length=ID)
    lease_until: datetime | None = instant(nullable=True)
    key_id: str = Field(max_length=ID)
    content: bytes = sealed()


class DeliveryRow(Owned, table=True):
    """One screening to be sent to one destination; deliveries of one `line` stay in order."""

    __tablename__: ClassVar[Any] = "delivery"
    __table_args__: ClassVar[Any] = (
        of_screening(),
        ForeignKeyConstraint(
            ["organisation_id", "destination_id"],
            ["destination.organisation_id", "destination.id"],
        ),
        UniqueConstraint("organisation_id", "destination_id", "screening_id", "event"),
        UniqueConstraint("organisation_id", "destination_id", "seq"),
        Index("delivery_by_screening", "organisation_id", "screening_id"),
        Index("delivery_by_time", "organisation_id", "created_at", "id"),
        Index("delivery_due", "state", "due_at"),
    )

    id: str = Field(primary_key=True, max_length=ID)
    destination_id: str = Field(max_length=ID)
    screening_id: str = Field(max_length=ID)
    event: str = Field(max_length=WORD)
    line: str = Field(max_length=64)
    seq: int = Field(sa_type=BigInteger)
    state: str = Field(max_length=WORD)
    reason: str = Field(max_length=WORD)
    tries: int
    errors: int
    due_at: datetime = instant()
    created_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    actor: str = Field(max_length=ID)
    key_id: str = Field(max_length=ID)
    payload: bytes | None = sealed(nullable=True)


class AttemptRow(Owned, table=True):
    """One attempt to send a delivery, recorded before any byte is sent."""

    __tablename__: ClassVar[Any] = "attempt"
    __table_args__: ClassVar[Any] = (
        ForeignKeyConstraint(
            ["organisation_id", "delivery_id"],
            ["delivery.organisation_id", "delivery.id"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("organisation_id", "delivery_id", "number"),
    )

    id: str = Field(primary_key=True, max_length=ID)
    delivery_id: str = Field(max_length=ID)
    number: int
    begun_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    outcome: str = Field(max_length=WORD)
    code: str = Field(max_length=WORD)
    key_id: str = Field(max_length=ID)
    reply: bytes | None = sealed(nullable=True)


class PatientMoveRow(Owned, table=True):
    """A screening's move from one patient identifier to another after a patient merge."""

    __tablename__: ClassVar[Any] = "patient_move"
    __table_args__: ClassVar[Any] = (
        of_screening(),
        Index("patient_move_by_screening", "organisation_id", "screening_id", "at"),
    )

    id: str = Field(primary_key=True, max_length=ID)
    screening_id: str = Field(max_length=ID)
    at: datetime = instant()
    actor: str = Field(max_length=ID)
    means: str = Field(max_length=WORD)
    key_id: str = Field(max_length=ID)
    content: bytes = sealed()
