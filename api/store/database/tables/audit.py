"""Tables of the audit chain and of the keys of each organisation."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger
from sqlmodel import Field

from api.store.database.tables.owned import (
    ID_LENGTH,
    WORD_LENGTH,
    OwnedRow,
    encrypted_column,
    instant_column,
)


class OrganisationKeyRow(OwnedRow, table=True):
    """A key of an organisation, wrapped by a key of the key ring. `kind`: data or audit.

    One of each kind is current; an older data key still decrypts, until all rows that it encrypted
    are encrypted again.
    """

    __tablename__: ClassVar[Any] = "organisation_key"

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    current: bool
    ring_key_id: str = Field(max_length=ID_LENGTH)
    wrapped: bytes = encrypted_column()
    created_at: datetime = instant_column()


class AuditRow(OwnedRow, table=True):
    """One act, chained to the previous one of its organisation. Never changed or deleted."""

    __tablename__: ClassVar[Any] = "audit"

    seq: int = Field(primary_key=True, sa_type=BigInteger)
    at: datetime = instant_column()
    actor: str = Field(max_length=ID_LENGTH)
    means: str = Field(max_length=WORD_LENGTH)
    action: str = Field(max_length=WORD_LENGTH)
    outcome: str = Field(max_length=WORD_LENGTH)
    kind: str = Field(max_length=WORD_LENGTH)
    target: str = Field(max_length=ID_LENGTH)
    route: str = Field(max_length=200)
    request_id: str = Field(max_length=ID_LENGTH)
    count: int
    key_id: str = Field(max_length=ID_LENGTH)
    mac: bytes = encrypted_column()


class AuditHeadRow(OwnedRow, table=True):
    """The end of an organisation's audit chain; locked while a row is appended."""

    __tablename__: ClassVar[Any] = "audit_head"

    seq: int = Field(sa_type=BigInteger)
    key_id: str = Field(max_length=ID_LENGTH)
    mac: bytes = encrypted_column()
    seal: bytes = encrypted_column()
