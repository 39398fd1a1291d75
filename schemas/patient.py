"""Who was screened and who attests, as a request names them."""

from datetime import date, datetime, timedelta, timezone
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from schemas.base import Frozen


def _iso_date(value: Any) -> Any:
    """A date as JSON writes it; anything else is not one."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a date written as YYYY-MM-DD")
    try:
        given = date.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a date written as YYYY-MM-DD") from None
    if given.isoformat() != value:
        raise ValueError("must be a date written as YYYY-MM-DD")
    return given


Day = Annotated[
    date, BeforeValidator(_iso_date), WithJsonSchema({"type": "string", "format": "date"})
]
EARLIEST = date(1900, 1, 1)
_FIRST_TO_WAKE = timezone(timedelta(hours=14))


def day_fault(day: date) -> str | None:
    """What is wrong with a day on which something is said to have been; None where nothing is.

    It is today's question: what was kept under another clock is read as it was kept.
    """
    if EARLIEST <= day <= datetime.now(_FIRST_TO_WAKE).date():
        return None
    return f"must be from {EARLIEST} to today"


# what the strict reader of JSON lets through, so far as a pattern can say it
READABLE = (
    r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
    r"\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]*$"
)
Reference = Annotated[str, Field(min_length=1, max_length=200, pattern=READABLE)]
Note = Annotated[str, Field(min_length=1, max_length=10_000, pattern=READABLE)]
AnsweredBy = Literal["patient", "proxy", "staff", "clinician"]


class Patient(Frozen):
    """Who was screened. None of it reaches the scorer."""

    reference: Reference | None = Field(default=None, description="The number in your system.")
    system: Reference | None = Field(default=None, description="Which system numbers so, as a URI.")
    name: Reference | None = None
    birth_date: Day | None = None
    encounter: Reference | None = Field(default=None, description="The visit, as you number it.")


class KnownPatient(Patient):
    """A patient whose screening is kept: the reference is needed."""

    reference: Reference = Field(description="The number in your system.")


class Clinician(Frozen):
    """Who attests the answers to a clinician's questions."""

    reference: Reference
