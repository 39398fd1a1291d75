"""Models for data subject rights: the data stored on a patient, erasure, holds and merges."""

from datetime import datetime
from typing import Literal

from pydantic import Base64Bytes, Field

from schemas.base import FrozenModel, Many
from schemas.notification import StoredNotification
from schemas.patients.links import LinkDetail
from schemas.patients.patient import Note
from schemas.patients.response_drafts import ResponseDraft
from schemas.patients.screening import Screening


class ErasureCounts(FrozenModel):
    """How many items of a patient were erased."""

    screenings: int
    reports: int
    acknowledgements: int
    deliveries: int
    links: int = Field(default=0, description="Links, including their answers.")
    response_drafts: int = Field(default=0, description="FHIR responses in progress.")
    batches: int = Field(
        default=0, description="Batches with rows of the patient, each erased as a whole."
    )


class LegalHold(FrozenModel):
    """A legal hold: nothing of the patient may be erased."""

    id: str
    placed_at: datetime
    placed_by: str
    reason: Note


class StoredReport(FrozenModel):
    """An issued report, its content in base64."""

    screening: str
    sha256: str
    media_type: str
    issued_at: datetime
    content: Base64Bytes


class StoredDelivery(FrozenModel):
    """A delivery of a screening, its content in base64."""

    screening: str
    destination: str
    event: str
    state: str
    created_at: datetime
    content: Base64Bytes | None


class PatientBatch(FrozenModel):
    """A batch with rows of the patient, whose sender or receiver has the file."""

    id: str
    kind: Literal["score", "reports", "deliveries", "export"]
    created_at: datetime
    expires_at: datetime


class MergeCounts(FrozenModel):
    """How many items moved from one number of a patient to another."""

    screenings: int
    links: int = Field(description="Links, including their answers.")
    response_drafts: int = Field(default=0, description="FHIR responses in progress.")
    holds: int
    batches: int = Field(
        description="Batches with the retired number. They remain unchanged and are erased with "
        "either number."
    )


class PatientDataExport(FrozenModel):
    """All data stored on one patient."""

    screenings: Many[Screening]
    reports: Many[StoredReport]
    deliveries: Many[StoredDelivery]
    holds: Many[LegalHold]
    links: Many[LinkDetail] = ()
    response_drafts: Many[ResponseDraft] = Field(
        default=(), description="FHIR responses in progress."
    )
    notifications: Many[StoredNotification] = Field(
        default=(), description="Messages to the patient, and to practitioners about the patient."
    )
    batches: Many[PatientBatch] = Field(
        default=(),
        description="Batches with rows of the patient, and their reports and deliveries.",
    )
