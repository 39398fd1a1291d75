"""Tables of allowed hosts, message rules, destinations, deliveries and patient merges.

A delivery belongs to its screening and is erased with it, including its encrypted payload.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint
from sqlmodel import Field

from api.store.database.tables.owned import (
    ID_LENGTH,
    WORD_LENGTH,
    OwnedRow,
    encrypted_column,
    instant_column,
    reference,
)


class AllowedPlaceRow(OwnedRow, table=True):
    """A host and port on the organisation's allowlist for outgoing connections."""

    host: str = Field(primary_key=True, max_length=253)
    port: int = Field(primary_key=True)
    private: bool
    added_at: datetime = instant_column()


class MessageRulesRow(OwnedRow, table=True):
    """What an organisation does with the HL7 messages that it receives, as JSON."""

    changed_at: datetime = instant_column()
    actor: str = Field(max_length=ID_LENGTH)
    content: str = Field(sa_type=Text)


class DestinationRow(OwnedRow, table=True):
    """A receiver of deliveries, with encrypted address and secrets; the lease holder sends."""

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    name: str = Field(max_length=200)
    profile: str = Field(max_length=WORD_LENGTH)
    active: bool
    follows: bool
    created_at: datetime = instant_column()
    last_seq: int = Field(sa_type=BigInteger)
    lease_holder: str | None = Field(max_length=ID_LENGTH)
    lease_until: datetime | None = instant_column(nullable=True)
    key_id: str = Field(max_length=ID_LENGTH)
    content: bytes = encrypted_column()


class DeliveryRow(OwnedRow, table=True):
    """One screening to be sent to one destination; deliveries of one `line` stay in order."""

    __table_args__: ClassVar[Any] = (
        reference("screening_id"),
        reference("destination_id", cascade=False),
        UniqueConstraint("organisation_id", "destination_id", "screening_id", "event"),
        UniqueConstraint("organisation_id", "destination_id", "seq"),
        Index("delivery_by_screening", "organisation_id", "screening_id", "created_at", "id"),
        Index("delivery_by_time", "organisation_id", "created_at", "id"),
        Index("delivery_by_state", "organisation_id", "state", "created_at", "id"),
        Index("delivery_by_destination", "organisation_id", "destination_id", "created_at", "id"),
        Index("delivery_open", "organisation_id", "destination_id", "state", "seq"),
        Index("delivery_due", "state", "due_at"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    destination_id: str = Field(max_length=ID_LENGTH)
    screening_id: str = Field(max_length=ID_LENGTH)
    event: str = Field(max_length=WORD_LENGTH)
    line: str = Field(max_length=64)
    seq: int = Field(sa_type=BigInteger)
    state: str = Field(max_length=WORD_LENGTH)
    reason: str = Field(max_length=WORD_LENGTH)
    tries: int
    errors: int
    due_at: datetime = instant_column()
    created_at: datetime = instant_column()
    ended_at: datetime | None = instant_column(nullable=True)
    actor: str = Field(max_length=ID_LENGTH)
    key_id: str = Field(max_length=ID_LENGTH)
    payload: bytes | None = encrypted_column(nullable=True)


class AttemptRow(OwnedRow, table=True):
    """One attempt to send a delivery, recorded before any byte is sent."""

    __table_args__: ClassVar[Any] = (
        reference("delivery_id"),
        UniqueConstraint("organisation_id", "delivery_id", "number"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    delivery_id: str = Field(max_length=ID_LENGTH)
    number: int
    begun_at: datetime = instant_column()
    ended_at: datetime | None = instant_column(nullable=True)
    outcome: str = Field(max_length=WORD_LENGTH)
    code: str = Field(max_length=WORD_LENGTH)
    key_id: str = Field(max_length=ID_LENGTH)
    reply: bytes | None = encrypted_column(nullable=True)


class PatientMoveRow(OwnedRow, table=True):
    """A screening's move from one patient identifier to another after a patient merge."""

    __table_args__: ClassVar[Any] = (
        reference("screening_id"),
        Index("patient_move_by_screening", "organisation_id", "screening_id", "at"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    screening_id: str = Field(max_length=ID_LENGTH)
    at: datetime = instant_column()
    actor: str = Field(max_length=ID_LENGTH)
    means: str = Field(max_length=WORD_LENGTH)
    key_id: str = Field(max_length=ID_LENGTH)
    content: bytes = encrypted_column()
