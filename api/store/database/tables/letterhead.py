"""What an organisation prints above its reports."""

from typing import Any, ClassVar

from sqlalchemy import LargeBinary, Text
from sqlmodel import Field

from api.store.database.tables.owned import Owned


class LetterheadRow(Owned, table=True):
    """The one letterhead of an organisation; its lines of address stand one under another."""

    __tablename__: ClassVar[Any] = "letterhead"

    address: str = Field(sa_type=Text)
    logo: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)
    time_zone: str = Field(max_length=60)
    locale: str = Field(max_length=10)
