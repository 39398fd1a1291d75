"""Tables of clients with their credentials, token issuers, practitioners and signing keys."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, Text, UniqueConstraint
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


class ClientRow(OwnedRow, table=True):
    """A program that calls the API."""

    __table_args__: ClassVar[Any] = (UniqueConstraint("id"),)

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    name: str = Field(max_length=200)
    scopes: str = Field(max_length=400)
    active: bool
    requests_per_minute: int | None
    created_at: datetime = instant_column()


class ClientSecretRow(OwnedRow, table=True):
    """The hash of a client secret; two may be valid at once, so that it can be rotated."""

    __table_args__: ClassVar[Any] = (
        reference("client_id"),
        Index("client_secret_by_client", "client_id"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    client_id: str = Field(max_length=ID_LENGTH)
    sha256: str = Field(max_length=64)
    created_at: datetime = instant_column()
    expires_at: datetime | None = instant_column(nullable=True)


class ClientKeyRow(OwnedRow, table=True):
    """A public key that a client signs its assertions with, as a JWK."""

    __table_args__: ClassVar[Any] = (
        reference("client_id"),
        Index("client_key_by_client", "client_id", "kid"),
    )

    client_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    kid: str = Field(primary_key=True, max_length=200)
    jwk: str = Field(sa_type=Text)
    created_at: datetime = instant_column()


class ClientKeySetRow(OwnedRow, table=True):
    """The URL of the JWK set that verifies a client's assertions."""

    __table_args__: ClassVar[Any] = (
        reference("client_id"),
        Index("client_key_set_by_client", "client_id"),
    )

    client_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    url: str = Field(max_length=2000)
    created_at: datetime = instant_column()


class ApiKeyRow(OwnedRow, table=True):
    """The hash of an API key of a client; two may be valid at once."""

    __table_args__: ClassVar[Any] = (UniqueConstraint("id"), reference("client_id"))

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    client_id: str = Field(max_length=ID_LENGTH)
    sha256: str = Field(max_length=64)
    scopes: str = Field(max_length=400)
    created_at: datetime = instant_column()
    expires_at: datetime = instant_column()
    revoked_at: datetime | None = instant_column(nullable=True)


class UsedAssertionRow(OwnedRow, table=True):
    """A client assertion that has been used and is refused if replayed."""

    __table_args__: ClassVar[Any] = (reference("client_id"),)

    client_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    jti_sha256: str = Field(primary_key=True, max_length=64)
    expires_at: datetime = instant_column()


class IssuerRow(OwnedRow, table=True):
    """An external token issuer, trusted by one organisation alone.

    `kind`: access or hooks. For hooks `audience` is empty: it must be the URL that is called.
    """

    __table_args__: ClassVar[Any] = (UniqueConstraint("kind", "issuer", "audience"),)

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    issuer: str = Field(max_length=500)
    audience: str = Field(max_length=500)
    active: bool
    created_at: datetime = instant_column()
    content: str = Field(sa_type=Text)


class UsedTokenRow(OwnedRow, table=True):
    """A token of an external issuer that has been used and is refused if replayed."""

    __table_args__: ClassVar[Any] = (reference("issuer_id"),)

    issuer_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    jti_sha256: str = Field(primary_key=True, max_length=64)
    expires_at: datetime = instant_column()


class RevokedTokenRow(OwnedRow, table=True):
    """An access token of this service that was revoked before it expired."""

    jti_sha256: str = Field(primary_key=True, max_length=64)
    expires_at: datetime = instant_column()


class PractitionerRow(OwnedRow, table=True):
    """A person of the organisation who signs in or attests."""

    __table_args__: ClassVar[Any] = (UniqueConstraint("organisation_id", "reference"),)

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    reference: str = Field(max_length=200)
    name: str = Field(max_length=200)
    scopes: str = Field(max_length=400)
    active: bool
    email: str | None = Field(max_length=254)
    gets_alerts: bool
    created_at: datetime = instant_column()


class WithdrawalRow(OwnedRow, table=True):
    """An entry of the ledger of withdrawals that this database knows; its targets, one a line."""

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    at: datetime = instant_column()
    kind: str = Field(max_length=WORD_LENGTH)
    targets: str = Field(sa_type=Text)


class ApprovalRow(OwnedRow, table=True):
    """A request that awaits the approval of a second person."""

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    requested_by: str = Field(max_length=ID_LENGTH)
    requested_at: datetime = instant_column()
    expires_at: datetime = instant_column()
    key_id: str = Field(max_length=ID_LENGTH)
    content: bytes = encrypted_column()


class SigningKeyRow(StoredRow, table=True):
    """A key that signs access tokens, wrapped by a key of the key ring."""

    kid: str = Field(primary_key=True, max_length=ID_LENGTH)
    algorithm: str = Field(max_length=WORD_LENGTH)
    ring_key_id: str = Field(max_length=ID_LENGTH)
    sealed: bytes = encrypted_column()
    created_at: datetime = instant_column()
    signs_from: datetime = instant_column()
    trusted_until: datetime | None = instant_column(nullable=True)


class CanonicalBaseRow(StoredRow, table=True):
    """What canonical URLs begin with: one that is fixed, and the addresses of the service."""

    url: str = Field(primary_key=True, max_length=200)
    fixed: bool
    created_at: datetime = instant_column()
