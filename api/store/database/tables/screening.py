"""Tables of screenings and the records that belong to them."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
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

SEARCHED_COLUMNS = {
    "patient": "patient_index",
    "status": "status_index",
    "tier": "tier_index",
    "band": "band_index",
    "rulebook": "rulebook",
}
"""The column of each index of screenings that ends in the order of lists: newest first."""


class ScreeningRow(OwnedRow, table=True):
    """One intake with its assessment. Never changed, only encrypted again or erased.

    `line` is what lists show of the assessment; null in rows of releases before 1.2.
    """

    __table_args__: ClassVar[Any] = (
        UniqueConstraint("organisation_id", "replaces"),
        reference("replaces", "screening", cascade=False),
        Index("screening_by_time", "organisation_id", "created_at", "id"),
        *(
            Index(f"screening_by_{name}", "organisation_id", column, "created_at", "id")
            for name, column in SEARCHED_COLUMNS.items()
        ),
        CheckConstraint("replaces IS NULL OR replaces <> id", name="screening_replaces_another"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    created_at: datetime = instant_column()
    actor: str = Field(max_length=ID_LENGTH)
    means: str = Field(max_length=WORD_LENGTH)
    rulebook: str = Field(max_length=WORD_LENGTH)
    rulebook_sha256: str = Field(max_length=64)
    software_version: str = Field(max_length=WORD_LENGTH)
    replaces: str | None = Field(max_length=ID_LENGTH)
    key_id: str = Field(max_length=ID_LENGTH)
    patient_index: bytes = keyed_hash_column()
    system_index: bytes = keyed_hash_column()
    status_index: bytes = keyed_hash_column()
    tier_index: bytes = keyed_hash_column()
    band_index: bytes = keyed_hash_column()
    patient: bytes = encrypted_column()
    context: bytes = encrypted_column()
    answers: bytes = encrypted_column()
    assessment: bytes = encrypted_column()
    line: bytes | None = encrypted_column(nullable=True)


class EnteredInErrorRow(OwnedRow, table=True):
    """The statement that a screening was entered in error, and the reason."""

    name_columns: ClassVar[tuple[str, ...]] = ("screening_id",)
    __table_args__: ClassVar[Any] = (reference("screening_id"),)

    screening_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    at: datetime = instant_column()
    actor: str = Field(max_length=ID_LENGTH)
    key_id: str = Field(max_length=ID_LENGTH)
    reason: bytes = encrypted_column()


class AcknowledgementRow(OwnedRow, table=True):
    """An acknowledgement of one red flag of a screening, or of all, and the action taken.

    `settles_all`: with it and those before it, every red flag is acknowledged.
    """

    __table_args__: ClassVar[Any] = (
        reference("screening_id"),
        Index("acknowledgement_by_screening", "organisation_id", "screening_id", "at"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    screening_id: str = Field(max_length=ID_LENGTH)
    at: datetime = instant_column()
    actor: str = Field(max_length=ID_LENGTH)
    settles_all: bool
    key_id: str = Field(max_length=ID_LENGTH)
    content: bytes = encrypted_column()


class RescoringRow(OwnedRow, table=True):
    """The link from a screening to the one whose answers it scores under another version.

    `first_stored_at` is when the answers were first stored, however often they were rescored.
    """

    name_columns: ClassVar[tuple[str, ...]] = ("screening_id",)
    __table_args__: ClassVar[Any] = (
        reference("screening_id"),
        reference("original_id", "screening"),
        Index("rescoring_by_original", "organisation_id", "original_id"),
    )

    screening_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    original_id: str = Field(max_length=ID_LENGTH)
    first_stored_at: datetime = instant_column()


class ReportRow(OwnedRow, table=True):
    """An issued report, found by the hash of its bytes."""

    __table_args__: ClassVar[Any] = (
        reference("screening_id"),
        Index("report_by_hash", "sha256"),
        UniqueConstraint("organisation_id", "screening_id", "sha256"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    screening_id: str = Field(max_length=ID_LENGTH)
    sha256: str = Field(max_length=64)
    media_type: str = Field(max_length=WORD_LENGTH)
    issued_at: datetime = instant_column()
    actor: str = Field(max_length=ID_LENGTH)
    key_id: str = Field(max_length=ID_LENGTH)
    content: bytes = encrypted_column()


class AnsweredRow(OwnedRow, table=True):
    """The stored response to a request with an Idempotency-Key."""

    name_columns: ClassVar[tuple[str, ...]] = ("actor", "route", "key_hash")
    __table_args__: ClassVar[Any] = (
        reference("screening_id"),
        Index("answered_by_time", "created_at"),
        Index("answered_by_screening", "organisation_id", "screening_id"),
    )

    actor: str = Field(primary_key=True, max_length=ID_LENGTH)
    route: str = Field(primary_key=True, max_length=200)
    key_hash: str = Field(primary_key=True, max_length=64)
    request_hash: str = Field(max_length=64)
    created_at: datetime = instant_column()
    screening_id: str | None = Field(max_length=ID_LENGTH)
    status: int | None
    key_id: str = Field(max_length=ID_LENGTH)
    content: bytes | None = encrypted_column(nullable=True)


class LegalHoldRow(OwnedRow, table=True):
    """A legal hold on the records of a patient, and the reason."""

    __table_args__: ClassVar[Any] = (
        Index("legal_hold_by_patient", "organisation_id", "patient_index"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    placed_at: datetime = instant_column()
    released_at: datetime | None = instant_column(nullable=True)
    actor: str = Field(max_length=ID_LENGTH)
    key_id: str = Field(max_length=ID_LENGTH)
    patient_index: bytes = keyed_hash_column()
    system_index: bytes = keyed_hash_column()
    content: bytes = encrypted_column()
