"""Define the heading of a report: patient, answers, letterhead and later events."""

from datetime import date, datetime, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from reports.logo import Logo
from reports.phrases import list_languages
from schemas.base import ExactDecimal, FrozenModel, Many
from schemas.organisations.form_settings import EmergencyNumber
from schemas.text import READABLE, TEXT_RULE


def _validate_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must name a time zone such as Europe/Berlin") from None
    return name


def _validate_line(text: str) -> str:
    if text.splitlines() != [text] or not text.strip():
        raise ValueError("must be a single non-empty line")
    return text


def _validate_language(name: str) -> str:
    if name not in list_languages():
        raise ValueError(f"must be one of {', '.join(list_languages())}")
    return name


MAX_ADDRESS_LINES = 5
TimeZoneName = Annotated[str, Field(max_length=60), AfterValidator(_validate_zone)]
AddressLine = Annotated[
    str,
    Field(min_length=1, max_length=120, pattern=READABLE),
    AfterValidator(_validate_line),
    TEXT_RULE,
]
ReportLanguage = Annotated[
    str,
    Field(json_schema_extra={"enum": list(list_languages())}),
    AfterValidator(_validate_language),
]


class Letterhead(FrozenModel):
    """The settings of an organisation for its reports; they can't change its content."""

    name: Annotated[str, Field(max_length=200)] | None = None
    address: Annotated[Many[AddressLine], Field(max_length=MAX_ADDRESS_LINES)] = ()
    logo: Logo | None = None
    time_zone: TimeZoneName = "UTC"
    language: ReportLanguage = "en"

    def to_local_time(self, moment: datetime) -> datetime:
        """Return the moment in the time zone of the organisation."""
        zone: tzinfo = ZoneInfo(self.time_zone)
        return moment.astimezone(zone)


class ReportedFlag(FrozenModel):
    """A red flag of another screening, with the label it had there."""

    id: str
    tier: str
    label: str


class FlagAcknowledgement(FrozenModel):
    """An acknowledgement of red flags: by which practitioner, when, and what was done.

    Without a `flag` it is for all of them.
    """

    practitioner: str
    acknowledged_at: datetime
    action_taken: str
    reached: str | None = None
    flag: str | None = None


class LinkedScreening(FrozenModel):
    """The screening that this one replaces or is replaced by."""

    id: str
    on: date
    flags: Many[ReportedFlag] = ()


class EarlierScreening(FrozenModel):
    """The banded total of an earlier screening, for the trend."""

    on: date
    points: ExactDecimal
    band: str | None
    rulebook: str


class ReportHeading(FrozenModel):
    """The context of an assessment in a report; only `produced_at` is required."""

    produced_at: datetime
    letterhead: Letterhead = Letterhead()
    screening_id: str | None = None
    stored_at: datetime | None = None
    patient_reference: str | None = None
    patient_system: str | None = None
    patient_name: str | None = None
    birth_date: date | None = None
    encounter: str | None = None
    answered_on: date | None = None
    answered_by: Literal["patient", "proxy", "staff", "clinician"] | None = None
    clinician_reference: str | None = None
    note: str | None = None
    test: bool = False
    acknowledgements: Many[FlagAcknowledgement] = ()
    replaces: LinkedScreening | None = None
    replaced_by: LinkedScreening | None = None
    entered_in_error: str | None = None
    earlier: Many[EarlierScreening] = ()
    help_numbers: Many[EmergencyNumber] = ()

    @property
    def produced_on(self) -> date:
        """The date of production in the time zone of the organisation."""
        return self.letterhead.to_local_time(self.produced_at).date()

    @property
    def assessed_on(self) -> date:
        """The date of the answers, else the date of storage, else the date of production."""
        stored_on = self.stored_at and self.letterhead.to_local_time(self.stored_at).date()
        return self.answered_on or stored_on or self.produced_on

    def model_post_init(self, _: Any) -> None:
        """Raise ValueError for a time without a time zone."""
        for name in ("produced_at", "stored_at"):
            moment: datetime | None = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name} must have a time zone")
