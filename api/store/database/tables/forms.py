"""Tables of form links, drafts and the form settings of each organisation."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from api.store.database.tables.owned import ID, WORD, Owned, instant, keyed, of_screening, sealed


class LinkRow(Owned, table=True):
    """A form link, found by the hash of its secret, and its patient."""

    __tablename__: ClassVar[Any] = "link"
    __table_args__: ClassVar[Any] = (
        of_screening(),
        UniqueConstraint("sha256"),
        Index("link_by_time", "organisation_id", "created_at", "id"),
        Index("link_by_patient", "organisation_id", "patient_index"),
    )

    id: str = Field(primary_key=True, max_length=ID)
    sha256: str = Field(max_length=64)
    kind: str = Field(max_length=WORD)
    rulebook: str = Field(max_length=WORD)
    language: str | None = Field(max_length=2)
    ask_again_days: int
    created_at: datetime = instant()
    expires_at: datetime = instant()
    actor: str = Field(max_length=ID)
    holder_sha256: str | None = Field(max_length=64)
    revoked_at: datetime | None = instant(nullable=True)
    submitted_at: datetime | None = instant(nullable=True)
    screening_id: str | None = Field(max_length=ID)
    key_id: str = Field(max_length=ID)
    patient_index: bytes = keyed()
    system_index: bytes = keyed()
    patient: bytes = sealed()


class DraftRow(Owned, table=True):
    """The answers entered through a link so far; deleted on submission."""

    __tablename__: ClassVar[Any] = "draft"
    __table_args__: ClassVar[Any] = (
        ForeignKeyConstraint(
            ["organisation_id", "link_id"],
            ["link.organisation_id", "link.id"],
            ondelete="CASCADE",
        ),
    )

    link_id: str = Field(primary_key=True, max_length=ID)
    started_at: datetime = instant()
    changed_at: datetime = instant()
    key_id: str = Field(max_length=ID)
    tier_index: bytes = keyed()
    content: bytes = sealed()


class FormSettingsRow(Owned, table=True):
    """The form settings of an organisation."""

    __tablename__: ClassVar[Any] = "form_settings"

    changed_at: datetime = instant()
    actor: str = Field(max_length=ID)
    key_id: str = Field(max_length=ID)
    content: bytes = sealed()
