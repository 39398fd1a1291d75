"""Tables of the audit chain and of the keys of each organisation."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger
from sqlmodel import Field

from api.store.database.tables.owned import ID, WORD, Owned, instant, sealed


class OrganisationKeyRow(Owned, table=True):
    """A key of an organisation, wrapped by a key of the key ring. `kind`: data or audit.

    One of each kind is current; an older data key still decrypts, until all rows that it encrypted
    are encrypted again.
    """

    __tablename__: ClassVar[Any] = "organisation_key"

    id: str = Field(primary_key=True, max_length=ID)
    kind: str = Field(max_length=WORD)
    current: bool
    ring_key_id: str = Field(max_length=ID)
    wrapped: bytes = sealed()
    created_at: datetime = instant()


class AuditRow(Owned, table=True):
    """One act, chained to the previous one of its organisation. Never changed or deleted."""

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
    """The end of an organisation's audit chain; locked while a row is appended."""

    __tablename__: ClassVar[Any] = "audit_head"

    seq: int = Field(sa_type=BigInteger)
    key_id: str = Field(max_length=ID)
    mac: bytes = sealed()
    seal: bytes = sealed()
