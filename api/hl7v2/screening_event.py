"""What a message tells: a screening with its heading, as one event, under one control id."""

from datetime import datetime
from typing import Literal, NamedTuple

from api.hl7v2.fields import composed, number_of
from schemas.profile import V2Options
from schemas.rulebook import Rulebook
from schemas.screening import Screening

Event = Literal["result", "replacement", "withdrawal"]
SYSTEM = "99NSCR"
"""The coding system of what we compute: no code of it is anybody else's."""
_NUMBER = 17
"""With `^` and a namespace of four characters, what an entity identifier holds: 22."""


class Report(NamedTuple):
    """The report: its bytes or its address, and what it is filed as."""

    form: str
    code: str
    display: str
    content: bytes = b""
    url: str = ""


class Told(NamedTuple):
    """One screening as it is told to one receiver.

    `first` is the id of the screening that the others correct: what is filed in place of it.
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
        """The number of the result, the same for all that corrects it."""
        return self.numbered(f"result {self.first}")

    @property
    def document(self) -> str:
        """The number of the report of this screening."""
        return self.numbered(f"document {self.screening.id}")

    @property
    def replaced_document(self) -> str:
        """The number of the report that this one replaces, empty where it replaces none."""
        replaced = self.screening.replaces
        return self.numbered(f"document {replaced}") if replaced else ""

    def numbered(self, what: str) -> str:
        """An entity identifier."""
        return composed(number_of(what, _NUMBER), self.options.namespace)

    @property
    def observed_at(self) -> datetime:
        """When it was kept."""
        return self.screening.created_at
