"""Tables of clients with their credentials, practitioners, and the keys that sign tokens."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from api.store.database.tables.owned import (
    ID_LENGTH,
    WORD_LENGTH,
    OwnedRow,
    encrypted_column,
    instant_column,
    reference_client,
)


class ClientRow(OwnedRow, table=True):
    """A program that calls the API."""

    __tablename__: ClassVar[Any] = "client"
    __table_args__: ClassVar[Any] = (UniqueConstraint("id"),)

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    name: str = Field(max_length=200)
    scopes: str = Field(max_length=400)
    active: bool
    requests_per_minute: int | None
    created_at: datetime = instant_column()


class ClientSecretRow(OwnedRow, table=True):
    """The hash of a client secret; two may be valid at once, so that it can be rotated."""

    __tablename__: ClassVar[Any] = "client_secret"
    __table_args__: ClassVar[Any] = (reference_client(cascade=True),)

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    client_id: str = Field(max_length=ID_LENGTH)
    sha256: str = Field(max_length=64)
    created_at: datetime = instant_column()
    expires_at: datetime | None = instant_column(nullable=True)


class ClientKeyRow(OwnedRow, table=True):
    """A public key that a client signs its assertions with, as a JWK."""

    __tablename__: ClassVar[Any] = "client_key"
    __table_args__: ClassVar[Any] = (reference_client(cascade=True),)

    client_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    kid: str = Field(primary_key=True, max_length=200)
    jwk: str = Field(sa_type=Text)
    created_at: datetime = instant_column()


class ApiKeyRow(OwnedRow, table=True):
    """The hash of an API key of a client; two may be valid at once."""

    __tablename__: ClassVar[Any] = "api_key"
    __table_args__: ClassVar[Any] = (UniqueConstraint("id"), reference_client(cascade=True))

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    client_id: str = Field(max_length=ID_LENGTH)
    sha256: str = Field(max_length=64)
    scopes: str = Field(max_length=400)
    created_at: datetime = instant_column()
    expires_at: datetime = instant_column()
    revoked_at: datetime | None = instant_column(nullable=True)


class UsedAssertionRow(OwnedRow, table=True):
    """A client assertion that has been used and is refused if replayed."""

    __tablename__: ClassVar[Any] = "used_assertion"
    __table_args__: ClassVar[Any] = (reference_client(cascade=True),)

    client_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    jti_sha256: str = Field(primary_key=True, max_length=64)
    expires_at: datetime = instant_column()


class PractitionerRow(OwnedRow, table=True):
    """A person of the organisation who signs in or attests."""

    __tablename__: ClassVar[Any] = "practitioner"
    __table_args__: ClassVar[Any] = (UniqueConstraint("organisation_id", "reference"),)

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    reference: str = Field(max_length=200)
    name: str = Field(max_length=200)
    scopes: str = Field(max_length=400)
    active: bool
    created_at: datetime = instant_column()


class SigningKeyRow(SQLModel, table=True):
    """A key that signs access tokens, wrapped by a key of the key ring."""

    __tablename__: ClassVar[Any] = "signing_key"

    kid: str = Field(primary_key=True, max_length=ID_LENGTH)
    algorithm: str = Field(max_length=WORD_LENGTH)
    ring_key_id: str = Field(max_length=ID_LENGTH)
    sealed: bytes = encrypted_column()
    created_at: datetime = instant_column()
    signs_from: datetime = instant_column()
    trusted_until: datetime | None = instant_column(nullable=True)
