"""Tables of the external JWK sets and token issuers that an organisation trusts."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKeyConstraint, Text, UniqueConstraint
from sqlmodel import Field

from api.store.database.tables.owned import (
    ID_LENGTH,
    WORD_LENGTH,
    OwnedRow,
    instant_column,
    reference_client,
)


class ClientKeySetRow(OwnedRow, table=True):
    """The URL of the JWK set that verifies a client's assertions."""

    __tablename__: ClassVar[Any] = "client_key_set"
    __table_args__: ClassVar[Any] = (reference_client(cascade=True),)

    client_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    url: str = Field(max_length=2000)
    created_at: datetime = instant_column()


class IssuerRow(OwnedRow, table=True):
    """An external token issuer, trusted by one organisation alone.

    `kind`: access or hooks. For hooks `audience` is empty: it must be the URL that is called.
    """

    __tablename__: ClassVar[Any] = "issuer"
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

    __tablename__: ClassVar[Any] = "used_token"
    __table_args__: ClassVar[Any] = (
        ForeignKeyConstraint(
            ["organisation_id", "issuer_id"],
            ["issuer.organisation_id", "issuer.id"],
            ondelete="CASCADE",
        ),
    )

    issuer_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    jti_sha256: str = Field(primary_key=True, max_length=64)
    expires_at: datetime = instant_column()
