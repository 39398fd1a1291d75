"""The content of a message: one event of a screening, for one receiver."""

from datetime import datetime
from typing import Literal, NamedTuple

from api.hl7v2.fields import composed, number_of
from schemas.profile import V2Options
from schemas.rulebook import Rulebook
from schemas.screening import Screening

Event = Literal["result", "replacement", "withdrawal"]
SYSTEM = "99NSCR"
"""The local coding system of our results."""
_IDENTIFIER_LENGTH = 17
"""Leaves room for `^` and a namespace of four characters in an entity identifier of 22."""


class Report(NamedTuple):
    """The report: its content or URL, and its document type."""

    form: str
    code: str
    display: str
    content: bytes = b""
    url: str = ""


class Told(NamedTuple):
    """An event of a screening, with all that a message for one receiver needs.

    `first` is the id of the first version of the screening.
    """

    event: Event
    screening: Screening
    first: str
    rulebook: Rulebook
    report: Report | None
    control_id: str
    at: datetime
    test: bool
    options: V2Options

    @property
    def order(self) -> str:
        """The filler order number, the same for all versions of the screening."""
        return self.numbered(f"result {self.first}")

    @property
    def document(self) -> str:
        """The document number of this screening's report."""
        return self.numbered(f"document {self.screening.id}")

    @property
    def replaced_document(self) -> str:
        """The document number of the replaced report; empty if there is none."""
        replaced = self.screening.replaces
        return self.numbered(f"document {replaced}") if replaced else ""

    def numbered(self, key: str) -> str:
        """Build an entity identifier (EI) for a key."""
        return composed(number_of(key, _IDENTIFIER_LENGTH), self.options.namespace)

    @property
    def observed_at(self) -> datetime:
        """The time of the screening."""
        return self.screening.created_at
