"""Models of the patient and the clinician of an intake, and types for references and dates."""

from datetime import date, datetime, timedelta, timezone
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, WithJsonSchema

from schemas.base import FrozenModel
from schemas.text import READABLE, TEXT_RULE, accept_stored_text


def _parse_iso_date(value: Any) -> Any:
    """Return a date from ISO 8601 text. Raises ValueError for anything else."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a date written as YYYY-MM-DD")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a date written as YYYY-MM-DD") from None
    if day.isoformat() != value:
        raise ValueError("must be a date written as YYYY-MM-DD")
    return day


Day = Annotated[
    date, BeforeValidator(_parse_iso_date), WithJsonSchema({"type": "string", "format": "date"})
]
EARLIEST_DAY = date(1900, 1, 1)
_EARLIEST_TIME_ZONE = timezone(timedelta(hours=14))


def find_latest_day() -> date:
    """Return today's date in the time zone that is furthest ahead."""
    return datetime.now(_EARLIEST_TIME_ZONE).date()


def find_day_fault(day: date) -> str | None:
    """Return why a day cannot be in the past, or None if it can.

    Depends on today's date, so it applies to new input and not to stored dates.
    """
    if EARLIEST_DAY <= day <= find_latest_day():
        return None
    return f"must be from {EARLIEST_DAY} to today"


Reference = Annotated[str, Field(min_length=1, max_length=200, pattern=READABLE), TEXT_RULE]
Note = Annotated[str, Field(min_length=1, max_length=10_000, pattern=READABLE), TEXT_RULE]
AnsweredBy = Literal["patient", "proxy", "staff", "clinician"]


class Patient(FrozenModel):
    """The person screened. These fields are not used in scoring."""

    reference: Reference | None = Field(
        default=None, description="The patient's number in your system."
    )
    system: Reference | None = Field(
        default=None, description="The system that issued the number, as a URI."
    )
    name: Reference | None = None
    birth_date: Day | None = None
    encounter: Reference | None = Field(
        default=None, description="The number of the visit in your system."
    )


class KnownPatient(Patient):
    """A patient whose screening is stored; the reference is required."""

    reference: Reference = Field(description="The patient's number in your system.")


def parse_stored_patient(content: bytes) -> KnownPatient:
    """Return a stored patient, even if its texts break the rules for new input."""
    with accept_stored_text():
        return KnownPatient.model_validate_json(content)


class PatientNumber(NamedTuple):
    """A patient's reference with the system that issued it, or None if that is not known."""

    reference: str
    system: str | None


class Clinician(FrozenModel):
    """The clinician who attests the answers to the clinician's questions."""

    reference: Reference
