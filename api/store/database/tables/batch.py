"""Tables of batches, their chunks, and the worker processes."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, Text
from sqlmodel import Field

from api.store.database.tables.owned import (
    ID_LENGTH,
    WORD_LENGTH,
    OwnedRow,
    StoredRow,
    encrypted_column,
    instant_column,
    reference,
)


class BatchRow(OwnedRow, table=True):
    """One batch. `kind`: scores, reports or deliveries of the batch `parent`, or a FHIR export.

    `options` are the batch's options as JSON, without patient data.
    """

    __table_args__: ClassVar[Any] = (
        reference("parent", "batch"),
        Index("batch_by_time", "organisation_id", "created_at", "id"),
        Index("batch_by_parent", "organisation_id", "parent"),
        Index("batch_waiting", "enqueued_at"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    parent: str | None = Field(max_length=ID_LENGTH)
    created_at: datetime = instant_column()
    expires_at: datetime = instant_column()
    enqueued_at: datetime | None = instant_column(nullable=True)
    cancelled_at: datetime | None = instant_column(nullable=True)
    actor: str = Field(max_length=ID_LENGTH)
    means: str = Field(max_length=WORD_LENGTH)
    rulebook: str = Field(max_length=WORD_LENGTH)
    rulebook_sha256: str = Field(max_length=64)
    options: str = Field(sa_type=Text)
    rows: int
    chunks: int


class BatchChunkRow(OwnedRow, table=True):
    """A chunk of a batch: its rows as received (`given`) and their result (`made`).

    `patients` holds the keyed hashes of its patient references, concatenated. `state`: waiting,
    done, or set_aside after too many attempts.
    """

    name_columns: ClassVar[tuple[str, ...]] = ("batch_id", "number")
    __table_args__: ClassVar[Any] = (reference("batch_id"),)

    batch_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    number: int = Field(primary_key=True)
    rows_before: int
    rows: int
    tries: int
    state: str = Field(max_length=WORD_LENGTH)
    done_at: datetime | None = instant_column(nullable=True)
    key_id: str = Field(max_length=ID_LENGTH)
    patients: bytes = encrypted_column()
    given: bytes = encrypted_column()
    note: bytes | None = encrypted_column(nullable=True)
    made: bytes | None = encrypted_column(nullable=True)


class MappingRow(OwnedRow, table=True):
    """One version of a mapping of columns; `id` is its name and version: `redcap@2`.

    `content` is null if it was erased.
    """

    __table_args__: ClassVar[Any] = (
        Index("mapping_by_name", "organisation_id", "name", "version"),
    )

    id: str = Field(primary_key=True, max_length=WORD_LENGTH)
    name: str = Field(max_length=WORD_LENGTH)
    version: int
    created_at: datetime = instant_column()
    rulebook: str = Field(max_length=WORD_LENGTH)
    key_id: str = Field(max_length=ID_LENGTH)
    content: bytes | None = encrypted_column(nullable=True)


class WorkerRow(StoredRow, table=True):
    """A worker process and its last heartbeat."""

    name: str = Field(primary_key=True, max_length=200)
    seen_at: datetime = instant_column()
