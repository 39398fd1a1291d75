"""Define the heading of a report: patient, answers, letterhead and later events."""

from datetime import date, datetime, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from reports.logo import Logo
from reports.phrases import languages
from schemas.base import ExactDecimal, FrozenModel, Many
from schemas.form_settings import EmergencyNumber
from schemas.patient import READABLE


def _validate_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must name a time zone such as Europe/Berlin") from None
    return name


def _validate_line(text: str) -> str:
    if text.splitlines() != [text] or not text.strip():
        raise ValueError("must be one line with something on it")
    return text


def _validate_language(name: str) -> str:
    if name not in languages():
        raise ValueError(f"must be one of {', '.join(languages())}")
    return name


Zone = Annotated[str, Field(max_length=60), AfterValidator(_validate_zone)]
Line = Annotated[
    str, Field(min_length=1, max_length=120, pattern=READABLE), AfterValidator(_validate_line)
]
Language = Annotated[
    str,
    Field(json_schema_extra={"enum": list(languages())}),
    AfterValidator(_validate_language),
]


class Letterhead(FrozenModel):
    """The settings of an organisation for its reports; they can't change what a report says."""

    name: Annotated[str, Field(max_length=200)] | None = None
    address: Annotated[Many[Line], Field(max_length=5)] = ()
    logo: Logo | None = None
    time_zone: Zone = "UTC"
    language: Language = "en"

    def there(self, moment: datetime) -> datetime:
        """Return the moment in the time zone of the organisation."""
        zone: tzinfo = ZoneInfo(self.time_zone)
        return moment.astimezone(zone)


class Reported(FrozenModel):
    """A red flag of another screening, with the label it had there."""

    id: str
    tier: str
    label: str


class Seen(FrozenModel):
    """An acknowledgement of red flags: by which practitioner, when, and what was done."""

    by: str
    at: datetime
    done: str


class OtherScreening(FrozenModel):
    """The screening that this one replaces or is replaced by."""

    id: str
    on: date
    flags: Many[Reported] = ()


class EarlierScreening(FrozenModel):
    """The banded total of an earlier screening, for the trend."""

    on: date
    points: ExactDecimal
    band: str | None
    rulebook: str


class Heading(FrozenModel):
    """The context of an assessment in a report; only `produced_at` is required."""

    produced_at: datetime
    letterhead: Letterhead = Letterhead()
    screening_id: str | None = None
    kept_at: datetime | None = None
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
    acknowledged: Many[Seen] = ()
    replaces: OtherScreening | None = None
    replaced_by: OtherScreening | None = None
    entered_in_error: str | None = None
    earlier: Many[EarlierScreening] = ()
    help_numbers: Many[EmergencyNumber] = ()

    @property
    def produced_on(self) -> date:
        """The date of production in the time zone of the organisation."""
        return self.letterhead.there(self.produced_at).date()

    @property
    def assessed_on(self) -> date:
        """The date of the answers, else the date of storage, else the date of production."""
        stored_on = self.kept_at and self.letterhead.there(self.kept_at).date()
        return self.answered_on or stored_on or self.produced_on

    def model_post_init(self, _: Any) -> None:
        """Raise ValueError for a time without a time zone."""
        for name in ("produced_at", "kept_at"):
            moment: datetime | None = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name} must say its time zone")
