"""Models of screenings: stored intakes with their assessments and later events."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from schemas.assessments.assessment import Assessment
from schemas.base import FrozenModel, Many
from schemas.patients.patient import AnsweredBy, Clinician, Day, KnownPatient, Note, Reference
from schemas.text import READABLE, TEXT_RULE


def _parse_instant(value: Any) -> Any:
    """Return an ISO 8601 instant with a time zone in UTC. Raises ValueError."""
    message = "must be an instant such as 2026-11-20T10:00:00Z, with its zone"
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        instant = None
        if re.search(r" \d\d:?\d\d$", value):
            message += "; in an address + must be written as %2B"
    if not isinstance(instant, datetime) or instant.tzinfo is None:
        raise ValueError(message)
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie in the years 1 to 9999 in UTC") from None


Instant = Annotated[
    datetime,
    BeforeValidator(_parse_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
ScreeningState = Literal["final", "amended", "entered_in_error"]
ScreeningSource = Literal["api", "form", "fhir", "hl7v2", "batch", "import", "rescoring"]


class FhirContext(FrozenModel):
    """Metadata of a FHIR QuestionnaireResponse, returned when it is read."""

    for_patient: bool = Field(description="Whether the questionnaire for patients was answered.")
    authored: Annotated[str, Field(max_length=40)] | None = None
    identifier_system: Reference | None = None
    identifier_value: Reference | None = None
    subject: Reference | None = Field(
        default=None, description="The literal reference to the patient."
    )
    subject_identified: bool = False
    encounter: Reference | None = None
    author: Reference | None = None
    source: Reference | None = None
    differences: Many[str] = Field(
        default=(), description="Values computed by the client that differ from ours."
    )
    orders: Many[Reference] = Field(
        default=(), description="The numbers or ids of the orders that the response answers."
    )
    received: str | None = Field(
        default=None,
        description="The QuestionnaireResponse as it was received, as JSON text.",
    )


class ScreeningContext(FrozenModel):
    """Information submitted together with the answers."""

    answered_on: Day | None = None
    answered_by: AnsweredBy | None = None
    clinician: Clinician | None = None
    note: Note | None = None
    fhir: FhirContext | None = None


class Acknowledgement(FrozenModel):
    """An acknowledgement of red flags and the action taken. It does not change the assessment."""

    id: str
    at: datetime
    by: str = Field(description="The client that sent the acknowledgement.")
    practitioner: Reference = Field(
        description="The practitioner, by number or name in your system."
    )
    done: Note = Field(description="The action taken.")
    flag: str | None = Field(default=None, description="The red flag; null for all of them.")
    reached: Reference | None = Field(default=None, description="Who was reached.")


class EnteredInError(FrozenModel):
    """Marks a screening as entered in error, with the reason."""

    at: datetime
    by: str
    reason: Note


class PatientMove(FrozenModel):
    """The move of a screening to another number of its patient by a merge."""

    at: datetime
    by: str
    means: str
    from_reference: Reference
    from_system: Reference | None
    to_reference: Reference
    to_system: Reference | None


class ScreeningOrigin(FrozenModel):
    """The client that stored a screening, the interface and the software version."""

    actor: str
    means: ScreeningSource
    software_version: str


class Screening(FrozenModel):
    """One stored intake. It is immutable; a correction is a new screening that `replaces` it.

    Its answers scored under another version are a new screening too, `rescored_from` this one,
    which replaces nothing.
    """

    id: str
    created_at: datetime
    replaces: str | None
    state: ScreeningState
    patient: KnownPatient
    assessment: Assessment
    replaced_by: str | None
    entered_in_error: EnteredInError | None
    acknowledgements: Many[Acknowledgement]
    moves: Many[PatientMove] = ()
    rescored_from: str | None = None
    rescored_as: Many[str] = ()
    origin: ScreeningOrigin
    context: ScreeningContext
    answers: dict[str, Any]

    def find_acknowledgement(self, flag: str) -> Acknowledgement | None:
        """Return the first acknowledgement of this red flag, alone or with all others."""
        return next((it for it in self.acknowledgements if it.flag in {None, flag}), None)

    @property
    def is_acknowledged(self) -> bool:
        """Whether every red flag was acknowledged."""
        return all(self.find_acknowledgement(flag.id) for flag in self.assessment.safety.flags)


class ScreeningListItem(FrozenModel):
    """A screening as an item of a list."""

    id: str
    created_at: datetime
    replaces: str | None
    rescored_from: str | None = Field(
        default=None, description="The screening whose answers it scores under another version."
    )
    state: ScreeningState
    patient: KnownPatient
    rulebook: str
    status: str
    tier: str
    band: str | None
    flags: int
    all_asked: bool = Field(description="Whether every red flag question was answered.")
    not_asked: int = Field(description="How many red flag questions were not answered.")
    acknowledged: bool


FilterValue = Annotated[str, Field(max_length=60, pattern=READABLE), TEXT_RULE]


class ScreeningFilters(FrozenModel):
    """Filters for a list of screenings; a null filter does not apply."""

    patient: Reference | None = None
    patient_system: Reference | None = None
    rulebook: FilterValue | None = None
    status: FilterValue | None = None
    tier: FilterValue | None = None
    band: FilterValue | None = None
    created_from: Instant | None = None
    created_before: Instant | None = None


class PatientFilters(ScreeningFilters):
    """Filters that can also select only the patient without an identifier system."""

    without_system: bool = False
