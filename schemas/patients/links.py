"""Models of links, through which a patient answers one questionnaire once."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.base import FrozenModel, Many, Name
from schemas.patients.patient import KnownPatient

LinkKind = Literal["once", "until_submitted"]
LinkState = Literal["new", "started", "submitted", "revoked", "expired"]
Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
OpenReason = Literal["unknown", "skipped"]


class Link(FrozenModel):
    """A link without its address, which is stored only as a hash."""

    id: str
    created_at: datetime
    expires_at: datetime
    kind: LinkKind = Field(
        description="`once`: only the browser that started can continue. `until_submitted`: anyone "
        "with the link can continue until the answers are submitted."
    )
    state: LinkState
    rulebook: str
    language: Language | None
    patient: KnownPatient
    started_at: datetime | None
    submitted_at: datetime | None
    tier: str | None = Field(
        description="The tier of the answers so far, even before they are submitted; null if "
        "there are none."
    )
    screening: str | None = Field(description="The screening stored from the answers.")
    ask_again_on: date | None = Field(description="When to ask the patient again.")


class NewLink(Link):
    """A new link with its address, which is shown only once."""

    url: str
    kiosk_url: str = Field(description="The address for a device shared by several patients.")
    qr: str = Field(description="`url` as a QR code in SVG.")


class Draft(FrozenModel):
    """Answers under a link that the patient has not submitted yet."""

    answers: dict[Name, Any] = Field(default_factory=dict)
    left: dict[Name, OpenReason] = Field(
        default_factory=dict, description="Questions left open, and how."
    )
    entered: dict[str, Many[str]] = Field(
        default_factory=dict,
        description="What was entered and is not valid, by the names of the form's fields.",
    )
    adversity: bool | None = Field(default=None, description="Consent to questions on adversity.")
    seen: Many[Name] = Field(default=(), description="Red flags whose advice the patient has read.")
    language: Language | None = None
    tier: str = "none"
    place: int | None = Field(default=None, description="The step to continue with.")


class LinkDetail(Link):
    """A link with its stored draft."""

    draft: Draft | None
