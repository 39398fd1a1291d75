"""The heading of a report: whom it is about, who answered when, and what became of it since."""

from datetime import date, datetime, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from reports.logo import Logo
from schemas.base import Exact, Frozen, Many


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must name a time zone such as Europe/Berlin") from None
    return name


Zone = Annotated[str, Field(max_length=60), AfterValidator(_known_zone)]
Line = Annotated[str, Field(min_length=1, max_length=120)]


class Letterhead(Frozen):
    """What an organisation sets for its reports. The content of a report is not its to change."""

    name: Annotated[str, Field(max_length=200)] | None = None
    address: Annotated[Many[Line], Field(max_length=5)] = ()
    logo: Logo | None = None
    time_zone: Zone = "UTC"
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] = "en"


class OtherScreening(Frozen):
    """Another screening of the same person that this one replaces or is replaced by."""

    id: str
    on: date


class EarlierScreening(Frozen):
    """The banded total of an earlier screening, for the trend."""

    on: date
    points: Exact
    band: str | None
    rulebook: str


class Heading(Frozen):
    """What stands above the assessment; all of it optional but the time of production."""

    produced_at: datetime
    letterhead: Letterhead = Letterhead()
    screening_id: str | None = None
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
    replaces: OtherScreening | None = None
    replaced_by: OtherScreening | None = None
    entered_in_error: str | None = None
    earlier: Many[EarlierScreening] = ()

    @property
    def produced_on(self) -> date:
        """The day of production where the organisation is."""
        zone: tzinfo = ZoneInfo(self.letterhead.time_zone)
        return self.produced_at.astimezone(zone).date()

    def model_post_init(self, _: Any) -> None:
        """Refuse an instant without its zone."""
        if self.produced_at.tzinfo is None:
            raise ValueError("produced_at must say its time zone")
