"""Table of letterheads, printed at the top of reports."""

from typing import Any, ClassVar

from sqlalchemy import LargeBinary, Text
from sqlmodel import Field

from api.store.database.tables.owned import OwnedRow


class LetterheadRow(OwnedRow, table=True):
    """The letterhead of an organisation; address lines are separated by newlines."""

    __tablename__: ClassVar[Any] = "letterhead"

    address: str = Field(sa_type=Text)
    logo: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)
    time_zone: str = Field(max_length=60)
    locale: str = Field(max_length=10)
