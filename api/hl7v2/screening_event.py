"""The content of a message: one event of a screening, for one receiver."""

from datetime import datetime
from typing import NamedTuple

from api.hl7v2.fields import derive_identifier, join_components
from reports.view.editions import is_confidential
from schemas.organisations.delivery import DeliveryEvent
from schemas.organisations.profile import V2Options
from schemas.patients.screening import Screening
from schemas.rulebooks.rulebook import Rulebook

CODING_SYSTEM = "99NSCR"
"""The local coding system of our results."""
_IDENTIFIER_LENGTH = 17
"""Leaves room for `^` and a namespace of four characters in an entity identifier of 22."""


class Hl7Report(NamedTuple):
    """The report: its content or URL, and its document type."""

    form: str
    code: str
    display: str
    content: bytes = b""
    url: str = ""


class ScreeningEvent(NamedTuple):
    """An event of a screening, with all that a message for one receiver needs.

    `first_id` is the id of the first version of the screening.
    """

    kind: DeliveryEvent
    screening: Screening
    first_id: str
    rulebook: Rulebook
    report: Hl7Report | None
    control_id: str
    sent_at: datetime
    is_test: bool
    options: V2Options

    @property
    def filler_order_number(self) -> str:
        """The filler order number, the same for all versions of the screening."""
        return self.build_entity_identifier(f"result {self.first_id}")

    @property
    def document_number(self) -> str:
        """The document number of this screening's report."""
        return self.build_entity_identifier(f"document {self.screening.id}")

    @property
    def replaced_document_number(self) -> str:
        """The document number of the replaced report; empty if there is none."""
        replaced = self.screening.replaces
        return self.build_entity_identifier(f"document {replaced}") if replaced else ""

    def build_entity_identifier(self, key: str) -> str:
        """Build an entity identifier (EI) for a key."""
        return join_components(derive_identifier(key, _IDENTIFIER_LENGTH), self.options.namespace)

    @property
    def is_confidential(self) -> bool:
        """Whether flags about the person or confidential answers are in the assessment."""
        return is_confidential(self.rulebook, self.screening.assessment)

    @property
    def observed_at(self) -> datetime:
        """The time of the screening."""
        return self.screening.created_at
