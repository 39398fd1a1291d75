"""The shape of links: addresses behind which one patient answers one questionnaire, once."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.base import Frozen, Many, Name
from schemas.patient import KnownPatient

LinkKind = Literal["once", "until_submitted"]
LinkState = Literal["new", "started", "submitted", "revoked", "expired"]
Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
Left = Literal["unknown", "skipped"]


class Link(Frozen):
    """A link as it may be shown: never its address, which is kept as a hash alone."""

    id: str
    created_at: datetime
    expires_at: datetime
    kind: LinkKind = Field(
        description="`once`: only the browser that began may go on. `until_submitted`: whoever has "
        "the link may, until the answers are sent."
    )
    state: LinkState
    rulebook: str
    language: Language | None
    patient: KnownPatient
    started_at: datetime | None
    submitted_at: datetime | None
    tier: str | None = Field(
        description="Of the answers so far, also where they were not sent yet; null where there "
        "are none."
    )
    screening: str | None = Field(description="What the answers were kept as.")
    ask_again_on: date | None = Field(description="When the patient is to be asked again.")


class NewLink(Link):
    """A link with its address, shown this once."""

    url: str
    kiosk_url: str = Field(description="The same for a device that several patients use in turn.")
    qr: str = Field(description="`url` as a QR code, an SVG.")


class Draft(Frozen):
    """What a patient has answered under a link, and not sent yet."""

    answers: dict[Name, Any] = Field(default_factory=dict)
    left: dict[Name, Left] = Field(default_factory=dict, description="Left open, and how.")
    adversity: bool | None = Field(default=None, description="Consent to be asked about it.")
    seen: Many[Name] = Field(default=(), description="The red flags whose advice was read.")
    language: Language | None = None
    tier: str = "none"
    place: int | None = Field(default=None, description="The step to go on with.")


class KeptLink(Link):
    """A link with what is kept under it."""

    draft: Draft | None
