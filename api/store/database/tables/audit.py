"""The record of every act, and the keys of an organisation."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger
from sqlmodel import Field

from api.store.database.tables.owned import ID, WORD, Owned, instant, sealed


class OrganisationKeyRow(Owned, table=True):
    """A key of an organisation, wrapped by a key of the ring. `kind`: data or audit.

    One of each kind is current; a data key that is no longer current opens what it sealed until
    that is sealed anew.
    """

    __tablename__: ClassVar[Any] = "organisation_key"

    id: str = Field(primary_key=True, max_length=ID)
    kind: str = Field(max_length=WORD)
    current: bool
    ring_key_id: str = Field(max_length=ID)
    wrapped: bytes = sealed()
    created_at: datetime = instant()


class AuditRow(Owned, table=True):
    """One act, chained to the one before it in its organisation. Never changed, never deleted."""

    __tablename__: ClassVar[Any] = "audit"

    seq: int = Field(primary_key=True, sa_type=BigInteger)
    at: datetime = instant()
    actor: str = Field(max_length=ID)
    means: str = Field(max_length=WORD)
    action: str = Field(max_length=WORD)
    outcome: str = Field(max_length=WORD)
    kind: str = Field(max_length=WORD)
    target: str = Field(max_length=ID)
    route: str = Field(max_length=200)
    request_id: str = Field(max_length=ID)
    count: int
    key_id: str = Field(max_length=ID)
    mac: bytes = sealed()


class AuditHeadRow(Owned, table=True):
    """The end of an organisation's chain; held while a row is appended."""

    __tablename__: ClassVar[Any] = "audit_head"

    seq: int = Field(sa_type=BigInteger)
    key_id: str = Field(max_length=ID)
    mac: bytes = sealed()
    seal: bytes = sealed()
