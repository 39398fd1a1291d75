"""The shape of a screening: one kept intake with its assessment, and what became of it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from schemas.assessment import Assessment
from schemas.base import Frozen, Many
from schemas.patient import READABLE, AnsweredBy, Clinician, Day, KnownPatient, Note, Reference


def _moment(value: Any) -> Any:
    """An instant as ISO 8601 writes it, with its zone; in UTC, where the calendar has it there."""
    expected = "must be an instant such as 2026-11-20T10:00:00Z, with its zone"
    try:
        given = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        given = None
    if not isinstance(given, datetime) or given.tzinfo is None:
        raise ValueError(expected)
    try:
        return given.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie in the years 1 to 9999 in UTC") from None


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
State = Literal["final", "amended", "entered_in_error"]
Means = Literal["api", "form", "fhir", "hl7v2", "batch", "import"]


class FhirContext(Frozen):
    """What a FHIR response said of itself, to be said again when it is read."""

    for_patient: bool = Field(description="Whether the patients' questionnaire was answered.")
    authored: Annotated[str, Field(max_length=40)] | None = None
    identifier_system: Reference | None = None
    identifier_value: Reference | None = None
    subject: Reference | None = Field(default=None, description="The literal reference.")
    subject_identified: bool = False
    encounter: Reference | None = None
    author: Reference | None = None
    source: Reference | None = None
    differences: Many[str] = Field(
        default=(), description="Where what the client computed was not what was computed here."
    )


class Context(Frozen):
    """What was sent beside the answers."""

    answered_on: Day | None = None
    answered_by: AnsweredBy | None = None
    clinician: Clinician | None = None
    note: Note | None = None
    fhir: FhirContext | None = None


class Acknowledgement(Frozen):
    """That the red flags were seen: by whom, when, and what was done. Changes no assessment."""

    id: str
    at: datetime
    by: str = Field(description="The client that sent it.")
    practitioner: Reference = Field(description="Who acknowledged, by your own number or name.")
    done: Note = Field(description="What was done.")


class EnteredInError(Frozen):
    """That a screening must not be relied on, and why."""

    at: datetime
    by: str
    reason: Note


class Moved(Frozen):
    """That a screening went over to another number of its patient, as a merge said."""

    at: datetime
    by: str
    means: str
    from_reference: Reference
    from_system: Reference | None
    to_reference: Reference
    to_system: Reference | None


class Origin(Frozen):
    """Which client kept a screening, by what means, with which software."""

    actor: str
    means: Means
    software_version: str


class Screening(Frozen):
    """One kept intake. It never changes: a correction is a new one that `replaces` it."""

    id: str
    created_at: datetime
    replaces: str | None
    state: State
    patient: KnownPatient
    assessment: Assessment
    replaced_by: str | None
    entered_in_error: EnteredInError | None
    acknowledgements: Many[Acknowledgement]
    moves: Many[Moved] = ()
    origin: Origin
    context: Context
    answers: dict[str, Any]


class ScreeningLine(Frozen):
    """One screening as a list shows it."""

    id: str
    created_at: datetime
    replaces: str | None
    state: State
    patient: KnownPatient
    rulebook: str
    status: str
    tier: str
    band: str | None
    flags: int
    all_asked: bool = Field(description="Whether every question for red flags was answered.")
    not_asked: int = Field(description="How many questions for red flags were not answered.")
    acknowledged: bool


Word = Annotated[str, Field(max_length=60, pattern=READABLE)]


class ScreeningFilters(Frozen):
    """What a list of screenings is narrowed by; what is left out does not narrow."""

    patient: Reference | None = None
    patient_system: Reference | None = None
    rulebook: Word | None = None
    status: Word | None = None
    tier: Word | None = None
    band: Word | None = None
    created_from: Moment | None = None
    created_before: Moment | None = None


class PatientFilters(ScreeningFilters):
    """The same, where a patient without a system may be meant and nobody else of that number."""

    without_system: bool = False
