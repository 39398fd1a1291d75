"""Table of notifications; each belongs to a link or a screening and is erased with it."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index
from sqlmodel import Field

from api.store.database.tables.owned import (
    ID_LENGTH,
    WORD_LENGTH,
    OwnedRow,
    encrypted_column,
    instant_column,
    reference,
)


class NotificationRow(OwnedRow, table=True):
    """A message by e-mail or SMS. `practitioner_id` is null for a message to a patient.

    While a process sends it, `due_at` is the instant from which another process may try.
    """

    __table_args__: ClassVar[Any] = (
        reference("link_id"),
        reference("screening_id"),
        reference("practitioner_id"),
        Index("notification_due", "state", "due_at"),
        Index("notification_by_state", "organisation_id", "state", "changed_at"),
        Index("notification_by_link", "organisation_id", "link_id"),
        Index("notification_by_screening", "organisation_id", "screening_id"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    medium: str = Field(max_length=WORD_LENGTH)
    link_id: str | None = Field(max_length=ID_LENGTH)
    screening_id: str | None = Field(max_length=ID_LENGTH)
    practitioner_id: str | None = Field(max_length=ID_LENGTH)
    state: str = Field(max_length=WORD_LENGTH)
    reason: str = Field(max_length=WORD_LENGTH)
    code: str = Field(max_length=WORD_LENGTH)
    tries: int
    errors: int
    due_at: datetime = instant_column()
    created_at: datetime = instant_column()
    changed_at: datetime = instant_column()
    key_id: str = Field(max_length=ID_LENGTH)
    content: bytes = encrypted_column()
