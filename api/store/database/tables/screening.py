"""Tables of screenings and the records that belong to them."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from api.store.database.tables.owned import ID, WORD, Owned, instant, keyed, of_screening, sealed


class ScreeningRow(Owned, table=True):
    """One intake with its assessment. Never changed, only encrypted again or erased."""

    __tablename__: ClassVar[Any] = "screening"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("organisation_id", "replaces"),
        ForeignKeyConstraint(
            ["organisation_id", "replaces"], ["screening.organisation_id", "screening.id"]
        ),
        Index("screening_by_time", "organisation_id", "created_at", "id"),
        Index("screening_by_patient", "organisation_id", "patient_index", "created_at"),
        CheckConstraint("replaces IS NULL OR replaces <> id", name="screening_replaces_another"),
    )

    id: str = Field(primary_key=True, max_length=ID)
    created_at: datetime = instant()
    actor: str = Field(max_length=ID)
    means: str = Field(max_length=WORD)
    rulebook: str = Field(max_length=WORD)
    rulebook_sha256: str = Field(max_length=64)
    software_version: str = Field(max_length=WORD)
    replaces: str | None = Field(max_length=ID)
    key_id: str = Field(max_length=ID)
    patient_index: bytes = keyed()
    system_index: bytes = keyed()
    status_index: bytes = keyed()
    tier_index: bytes = keyed()
    band_index: bytes = keyed()
    patient: bytes = sealed()
    context: bytes = sealed()
    answers: bytes = sealed()
    assessment: bytes = sealed()


class EnteredInErrorRow(Owned, table=True):
    """The statement that a screening was entered in error, and the reason."""

    __tablename__: ClassVar[Any] = "entered_in_error"
    __table_args__: ClassVar[Any] = (of_screening(),)

    screening_id: str = Field(primary_key=True, max_length=ID)
    at: datetime = instant()
    actor: str = Field(max_length=ID)
    key_id: str = Field(max_length=ID)
    reason: bytes = sealed()


class AcknowledgementRow(Owned, table=True):
    """An acknowledgement of a screening's red flags, and the action taken."""

    __tablename__: ClassVar[Any] = "acknowledgement"
    __table_args__: ClassVar[Any] = (
        of_screening(),
        Index("acknowledgement_by_screening", "organisation_id", "screening_id", "at"),
    )

    id: str = Field(primary_key=True, max_length=ID)
    screening_id: str = Field(max_length=ID)
    at: datetime = instant()
    actor: str = Field(max_length=ID)
    key_id: str = Field(max_length=ID)
    content: bytes = sealed()


class ReportRow(Owned, table=True):
    """An issued report, found by the hash of its bytes."""

    __tablename__: ClassVar[Any] = "report"
    __table_args__: ClassVar[Any] = (
        of_screening(),
        Index("report_by_hash", "sha256"),
        UniqueConstraint("organisation_id", "screening_id", "sha256"),
    )

    id: str = Field(primary_key=True, max_length=ID)
    screening_id: str = Field(max_length=ID)
    sha256: str = Field(max_length=64)
    media_type: str = Field(max_length=WORD)
    issued_at: datetime = instant()
    actor: str = Field(max_length=ID)
    key_id: str = Field(max_length=ID)
    content: bytes = sealed()


class AnsweredRow(Owned, table=True):
    """The stored response to a request with an Idempotency-Key."""

    __tablename__: ClassVar[Any] = "answered"
    __table_args__: ClassVar[Any] = (
        of_screening(),
        Index("answered_by_time", "created_at"),
        Index("answered_by_screening", "organisation_id", "screening_id"),
    )

    actor: str = Field(primary_key=True, max_length=ID)
    route: str = Field(primary_key=True, max_length=200)
    key_hash: str = Field(primary_key=True, max_length=64)
    request_hash: str = Field(max_length=64)
    created_at: datetime = instant()
    screening_id: str | None = Field(max_length=ID)
    status: int | None
    key_id: str = Field(max_length=ID)
    content: bytes | None = sealed(nullable=True)


class LegalHoldRow(Owned, table=True):
    """A legal hold on the records of a patient, and the reason."""

    __tablename__: ClassVar[Any] = "legal_hold"
    __table_args__: ClassVar[Any] = (
        Index("legal_hold_by_patient", "organisation_id", "patient_index"),
    )

    id: str = Field(primary_key=True, max_length=ID)
    placed_at: datetime = instant()
    released_at: datetime | None = instant(nullable=True)
    actor: str = Field(max_length=ID)
    key_id: str = Field(max_length=ID)
    patient_index: bytes = keyed()
    system_index: bytes = keyed()
    content: bytes = sealed()
