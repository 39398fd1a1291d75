"""Tables of practitioners' login credentials, invitations, sessions and failed logins."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field

from api.store.database.tables.owned import (
    ID_LENGTH,
    OwnedRow,
    encrypted_column,
    instant_column,
    reference,
)


class SignInRow(OwnedRow, table=True):
    """The login credentials of a practitioner: name, password and second factor."""

    name_columns: ClassVar[tuple[str, ...]] = ("practitioner_id",)
    __table_args__: ClassVar[Any] = (reference("practitioner_id"), UniqueConstraint("name_sha256"))

    practitioner_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    name_sha256: str = Field(max_length=64)
    password_hash: str = Field(max_length=200)
    changed_at: datetime = instant_column()
    last_step: int = Field(sa_type=BigInteger)
    key_id: str = Field(max_length=ID_LENGTH)
    totp: bytes = encrypted_column()


class RecoveryCodeRow(OwnedRow, table=True):
    """A recovery code that replaces the second factor once."""

    __table_args__: ClassVar[Any] = (reference("practitioner_id"),)

    practitioner_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    sha256: str = Field(primary_key=True, max_length=64)
    used_at: datetime | None = instant_column(nullable=True)


class IdentityRow(OwnedRow, table=True):
    """The OpenID Connect identity of a practitioner."""

    __table_args__: ClassVar[Any] = (
        reference("practitioner_id"),
        UniqueConstraint("subject_sha256"),
    )

    practitioner_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    subject_sha256: str = Field(max_length=64)
    linked_at: datetime = instant_column()


class InvitationRow(OwnedRow, table=True):
    """An invitation to set up login credentials, found by the hash of its secret."""

    __table_args__: ClassVar[Any] = (reference("practitioner_id"), UniqueConstraint("sha256"))

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    practitioner_id: str = Field(max_length=ID_LENGTH)
    sha256: str = Field(max_length=64)
    created_at: datetime = instant_column()
    expires_at: datetime = instant_column()
    used_at: datetime | None = instant_column(nullable=True)
    actor: str = Field(max_length=ID_LENGTH)
    key_id: str = Field(max_length=ID_LENGTH)
    totp: bytes = encrypted_column()


class SessionRow(OwnedRow, table=True):
    """A practitioner's session, found by the hash of its cookie."""

    __table_args__: ClassVar[Any] = (
        reference("practitioner_id"),
        UniqueConstraint("sha256"),
        Index("session_by_practitioner", "organisation_id", "practitioner_id"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    practitioner_id: str = Field(max_length=ID_LENGTH)
    sha256: str = Field(max_length=64)
    created_at: datetime = instant_column()
    seen_at: datetime = instant_column()
    ends_at: datetime = instant_column()


class KeptFormRow(OwnedRow, table=True):
    """A form as a practitioner submitted it, kept until they see it again."""

    __table_args__: ClassVar[Any] = (
        reference("practitioner_id"),
        Index("kept_form_by_practitioner", "organisation_id", "practitioner_id", "kept_at"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    practitioner_id: str = Field(max_length=ID_LENGTH)
    kept_at: datetime = instant_column()
    key_id: str = Field(max_length=ID_LENGTH)
    content: bytes = encrypted_column()


class FailureRow(OwnedRow, table=True):
    """The failed logins of one counter; `way` is the keyed hash that identifies it."""

    __tablename__: ClassVar[Any] = "sign_in_failure"

    way: str = Field(primary_key=True, max_length=64)
    count: int
    last_at: datetime = instant_column()
    until: datetime | None = instant_column(nullable=True)


class ImportedRow(OwnedRow, table=True):
    """An imported row of a file, known by a keyed hash; deleted with its screening."""

    __table_args__: ClassVar[Any] = (
        reference("screening_id"),
        Index("imported_by_screening", "organisation_id", "screening_id"),
    )

    fingerprint: str = Field(primary_key=True, max_length=64)
    screening_id: str = Field(max_length=ID_LENGTH)
    at: datetime = instant_column()
