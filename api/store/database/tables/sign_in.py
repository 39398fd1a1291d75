"""Tables of practitioners' login credentials, invitations, sessions and failed logins."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from api.store.database.tables.owned import ID, Owned, instant, of_screening, sealed


def of_practitioner() -> ForeignKeyConstraint:
    """Define a foreign key to a practitioner of the same organisation; deleted with it."""
    return ForeignKeyConstraint(
        ["organisation_id", "practitioner_id"],
        ["practitioner.organisation_id", "practitioner.id"],
        ondelete="CASCADE",
    )


class SignInRow(Owned, table=True):
    """The login credentials of a practitioner: name, password and second factor."""

    __tablename__: ClassVar[Any] = "sign_in"
    __table_args__: ClassVar[Any] = (of_practitioner(), UniqueConstraint("name_sha256"))

    practitioner_id: str = Field(primary_key=True, max_length=ID)
    name_sha256: str = Field(max_length=64)
    password_hash: str = Field(max_length=200)
    changed_at: datetime = instant()
    last_step: int = Field(sa_type=BigInteger)
    key_id: str = Field(max_length=ID)
    totp: bytes = sealed()


class RecoveryCodeRow(Owned, table=True):
    """A recovery code that replaces the second factor once."""

    __tablename__: ClassVar[Any] = "recovery_code"
    __table_args__: ClassVar[Any] = (of_practitioner(),)

    practitioner_id: str = Field(primary_key=True, max_length=ID)
    sha256: str = Field(primary_key=True, max_length=64)
    used_at: datetime | None = instant(nullable=True)


class IdentityRow(Owned, table=True):
    """The OpenID Connect identity of a practitioner."""

    __tablename__: ClassVar[Any] = "identity"
    __table_args__: ClassVar[Any] = (of_practitioner(), UniqueConstraint("subject_sha256"))

    practitioner_id: str = Field(primary_key=True, max_length=ID)
    subject_sha256: str = Field(max_length=64)
    linked_at: datetime = instant()


class InvitationRow(Owned, table=True):
    """An invitation to set up login credentials, found by the hash of its secret."""

    __tablename__: ClassVar[Any] = "invitation"
    __table_args__: ClassVar[Any] = (of_practitioner(), UniqueConstraint("sha256"))

    id: str = Field(primary_key=True, max_length=ID)
    practitioner_id: str = Field(max_length=ID)
    sha256: str = Field(max_length=64)
    created_at: datetime = instant()
    expires_at: datetime = instant()
    used_at: datetime | None = instant(nullable=True)
    actor: str = Field(max_length=ID)
    key_id: str = Field(max_length=ID)
    totp: bytes = sealed()


class SessionRow(Owned, table=True):
    """A practitioner's session, found by the hash of its cookie."""

    __tablename__: ClassVar[Any] = "session"
    __table_args__: ClassVar[Any] = (
        of_practitioner(),
        UniqueConstraint("sha256"),
        Index("session_by_practitioner", "organisation_id", "practitioner_id"),
    )

    id: str = Field(primary_key=True, max_length=ID)
    practitioner_id: str = Field(max_length=ID)
    sha256: str = Field(max_length=64)
    created_at: datetime = instant()
    seen_at: datetime = instant()
    ends_at: datetime = instant()


class FailureRow(Owned, table=True):
    """The failed logins of one counter; `way` is the keyed hash that identifies it."""

    __tablename__: ClassVar[Any] = "sign_in_failure"

    way: str = Field(primary_key=True, max_length=64)
    count: int
    last_at: datetime = instant()
    until: datetime | None = instant(nullable=True)


class ImportedRow(Owned, table=True):
    """An imported row of a file, known by a keyed hash; deleted with its screening."""

    __tablename__: ClassVar[Any] = "imported"
    __table_args__: ClassVar[Any] = (of_screening(),)

    fingerprint: str = Field(primary_key=True, max_length=64)
    screening_id: str = Field(max_length=ID)
    at: datetime = instant()
