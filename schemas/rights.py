"""The shape of what a patient has a right to: all that is kept, its erasure, and holds on it."""

from datetime import datetime
from typing import Literal

from pydantic import Base64Bytes, Field

from schemas.base import Frozen, Many
from schemas.links import KeptLink
from schemas.patient import Note
from schemas.screening import Screening


class Erased(Frozen):
    """How much of a person was erased."""

    screenings: int
    reports: int
    acknowledgements: int
    deliveries: int
    links: int = Field(default=0, description="With what was answered under them.")
    batches: int = Field(default=0, description="Batches that named the person, each erased whole.")


class LegalHold(Frozen):
    """That nothing of a patient may be erased, and why."""

    id: str
    placed_at: datetime
    placed_by: str
    reason: Note


class KeptReport(Frozen):
    """A report as it was issued, its bytes in base64."""

    screening: str
    sha256: str
    media_type: str
    issued_at: datetime
    content: Base64Bytes


class KeptDelivery(Frozen):
    """What was sent or is to be sent of a screening, to whom, in base64."""

    screening: str
    destination: str
    event: str
    state: str
    created_at: datetime
    content: Base64Bytes | None


class NamedInBatch(Frozen):
    """A batch that names the patient; its rows are a copy of the file that its sender has."""

    id: str
    kind: Literal["score", "reports", "deliveries"]
    created_at: datetime
    expires_at: datetime


class Merged(Frozen):
    """How much went over from one number of a patient to another."""

    screenings: int
    links: int = Field(description="With what was answered under them.")
    holds: int
    batches: int = Field(
        description="Batches that name the retired number. They stay as they were sent, and are "
        "erased with either number."
    )


class KeptOnPatient(Frozen):
    """Everything that is kept on one person."""

    screenings: Many[Screening]
    reports: Many[KeptReport]
    deliveries: Many[KeptDelivery]
    holds: Many[LegalHold]
    links: Many[KeptLink] = ()
    batches: Many[NamedInBatch] = Field(
        default=(), description="Batches that name the person, and what was made of them."
    )
