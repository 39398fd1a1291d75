"""Tables of batches, their chunks, and the worker processes."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, Index, Text
from sqlmodel import Field, SQLModel

from api.store.database.tables.owned import ID, WORD, Owned, instant, sealed


class BatchRow(Owned, table=True):
    """One batch. `kind`: scores, or reports or deliveries of the batch `parent`, erased with it.

    `options` are the batch's options as JSON, without patient data.
    """

    __tablename__: ClassVar[Any] = "batch"
    __table_args__: ClassVar[Any] = (
        ForeignKeyConstraint(
            ["organisation_id", "parent"],
            ["batch.organisation_id", "batch.id"],
            ondelete="CASCADE",
        ),
        Index("batch_by_time", "organisation_id", "created_at", "id"),
        Index("batch_by_parent", "organisation_id", "parent"),
        Index("batch_waiting", "enqueued_at"),
    )

    id: str = Field(primary_key=True, max_length=ID)
    kind: str = Field(max_length=WORD)
    parent: str | None = Field(max_length=ID)
    created_at: datetime = instant()
    expires_at: datetime = instant()
    enqueued_at: datetime | None = instant(nullable=True)
    cancelled_at: datetime | None = instant(nullable=True)
    actor: str = Field(max_length=ID)
    means: str = Field(max_length=WORD)
    rulebook: str = Field(max_length=WORD)
    rulebook_sha256: str = Field(max_length=64)
    options: str = Field(sa_type=Text)
    rows: int
    chunks: int


class BatchChunkRow(Owned, table=True):
    """A chunk of a batch: its rows as received (`given`) and their result (`made`).

    `patients` holds the keyed hashes of its patient references, concatenated. `state`: waiting,
    done, or set_aside after too many attempts.
    """

    __tablename__: ClassVar[Any] = "batch_chunk"
    __table_args__: ClassVar[Any] = (
        ForeignKeyConstraint(
            ["organisation_id", "batch_id"],
            ["batch.organisation_id", "batch.id"],
            ondelete="CASCADE",
        ),
    )

    batch_id: str = Field(primary_key=True, max_length=ID)
    number: int = Field(primary_key=True)
    rows_before: int
    rows: int
    tries: int
    state: str = Field(max_length=WORD)
    done_at: datetime | None = instant(nullable=True)
    key_id: str = Field(max_length=ID)
    patients: bytes = sealed()
    given: bytes = sealed()
    note: bytes | None = sealed(nullable=True)
    made: bytes | None = sealed(nullable=True)


class WorkerRow(SQLModel, table=True):
    """A worker process and its last heartbeat."""

    __tablename__: ClassVar[Any] = "worker"

    name: str = Field(primary_key=True, max_length=200)
    seen_at: datetime = instant()
