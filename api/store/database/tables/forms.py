"""Tables of form links, drafts, FHIR responses in progress and the form settings."""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import Date, Index, UniqueConstraint
from sqlmodel import Field

from api.store.database.tables.owned import (
    ID_LENGTH,
    WORD_LENGTH,
    OwnedRow,
    encrypted_column,
    instant_column,
    keyed_hash_column,
    reference,
)


class LinkRow(OwnedRow, table=True):
    """A form link, found by the hash of its secret, and its patient.

    `due_on`: when to screen again, until the patient answered again or the date was dismissed.
    `order_sha256`: the keyed hash of the order or appointment that a message made the link for.
    """

    __table_args__: ClassVar[Any] = (
        reference("screening_id"),
        UniqueConstraint("sha256"),
        Index("link_by_time", "organisation_id", "created_at", "id"),
        Index("link_by_patient", "organisation_id", "patient_index"),
        Index("link_by_screening", "organisation_id", "screening_id"),
        Index("link_by_expiry", "organisation_id", "expires_at"),
        Index("link_due", "organisation_id", "due_on"),
        Index("link_by_order", "organisation_id", "order_sha256"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    sha256: str = Field(max_length=64)
    kind: str = Field(max_length=WORD_LENGTH)
    rulebook: str = Field(max_length=WORD_LENGTH)
    language: str | None = Field(max_length=2)
    ask_again_days: int
    created_at: datetime = instant_column()
    expires_at: datetime = instant_column()
    actor: str = Field(max_length=ID_LENGTH)
    holder_sha256: str | None = Field(max_length=64)
    revoked_at: datetime | None = instant_column(nullable=True)
    submitted_at: datetime | None = instant_column(nullable=True)
    screening_id: str | None = Field(max_length=ID_LENGTH)
    due_on: date | None = Field(sa_type=Date)
    order_sha256: str | None = Field(max_length=64)
    key_id: str = Field(max_length=ID_LENGTH)
    patient_index: bytes = keyed_hash_column()
    system_index: bytes = keyed_hash_column()
    patient: bytes = encrypted_column()


class DraftRow(OwnedRow, table=True):
    """The answers entered through a link so far; deleted on submission."""

    name_columns: ClassVar[tuple[str, ...]] = ("link_id",)
    __table_args__: ClassVar[Any] = (reference("link_id"),)

    link_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    started_at: datetime = instant_column()
    changed_at: datetime = instant_column()
    key_id: str = Field(max_length=ID_LENGTH)
    tier_index: bytes = keyed_hash_column()
    content: bytes = encrypted_column()


class DraftAcknowledgementRow(OwnedRow, table=True):
    """An acknowledgement of red flags in answers not sent yet, and the action taken."""

    __table_args__: ClassVar[Any] = (
        reference("link_id"),
        Index("draft_acknowledgement_by_link", "organisation_id", "link_id"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    link_id: str = Field(max_length=ID_LENGTH)
    at: datetime = instant_column()
    actor: str = Field(max_length=ID_LENGTH)
    key_id: str = Field(max_length=ID_LENGTH)
    content: bytes = encrypted_column()


class ResponseDraftRow(OwnedRow, table=True):
    """A FHIR response that is in progress; deleted when it is completed.

    `actor`: the client that stored it, which alone can read it.
    """

    __table_args__: ClassVar[Any] = (
        Index("response_draft_by_patient", "organisation_id", "patient_index"),
        Index("response_draft_by_actor", "organisation_id", "actor", "changed_at"),
        Index("response_draft_by_change", "organisation_id", "changed_at"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    actor: str = Field(max_length=ID_LENGTH)
    created_at: datetime = instant_column()
    changed_at: datetime = instant_column()
    number: int
    key_id: str = Field(max_length=ID_LENGTH)
    patient_index: bytes = keyed_hash_column()
    system_index: bytes = keyed_hash_column()
    patient: bytes = encrypted_column()
    content: bytes = encrypted_column()


class FormSettingsRow(OwnedRow, table=True):
    """The form settings of an organisation."""

    name_columns: ClassVar[tuple[str, ...]] = ("organisation_id",)

    changed_at: datetime = instant_column()
    actor: str = Field(max_length=ID_LENGTH)
    key_id: str = Field(max_length=ID_LENGTH)
    content: bytes = encrypted_column()
