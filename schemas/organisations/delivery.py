"""Models of destinations, deliveries with their attempts, and previews."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.base import FrozenModel, Many
from schemas.organisations.organisation import Title

DeliveryEvent = Literal["result", "replacement", "withdrawal"]
DestinationId = Annotated[str, Field(pattern=r"^d-[0-9a-f-]{36}$")]
DeliveryState = Literal["waiting", "under_way", "delivered", "parked", "cancelled"]


class AllowedEndpoint(FrozenModel):
    """An allowed host and port; `private` if it may have a private address."""

    host: str
    port: int
    private: bool


class SmartSignIn(FrozenModel):
    """How the service signs in at a FHIR server: SMART Backend Services with its own key."""

    token_url: str = Field(max_length=2000, pattern=r"^https?://[\x21-\x7e]+$")
    client_id: str = Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")
    scope: str = Field(
        default="system/DocumentReference.c system/Observation.c",
        max_length=1000,
        pattern=r"^[\x20-\x7e]+$",
    )


class SubscriptionTerms(FrozenModel):
    """What a FHIR Subscription asked for; `headers` are sent with each notification."""

    topic: Literal["screening-stored", "red-flag"]
    content: Literal["empty", "id-only", "full-resource"] = "id-only"
    headers: Many[str] = ()
    reason: str = ""


class Destination(FrozenModel):
    """A receiver of deliveries."""

    id: str
    name: Title
    profile: str
    address: str
    active: bool
    follows: bool = Field(description="Whether corrections and withdrawals are sent automatically.")
    options: dict[str, Any]
    smart: SmartSignIn | None
    public_key: dict[str, str] | None = Field(
        description="JWK to register at the receiver for SMART Backend Services."
    )
    own_certificate: bool
    waiting: int
    parked: int
    created_at: datetime


class DeliveryAttempt(FrozenModel):
    """One attempt. The outcome is `unknown` if the sender stopped before it was known."""

    number: int
    begun_at: datetime
    ended_at: datetime | None
    outcome: str
    code: str = Field(description="The receiver's response code: AA, AE, AR or an HTTP status.")
    reply: str | None = Field(description="The beginning of the receiver's response.")


class DeliveryListItem(FrozenModel):
    """The delivery of one screening to one destination."""

    id: str
    screening: str
    destination: str
    event: DeliveryEvent
    state: DeliveryState
    reason: str = Field(
        description="Code of the reason for the state; empty if there was no fault."
    )
    control_id: str
    tries: int
    due_at: datetime | None
    created_at: datetime
    created_by: str
    ended_at: datetime | None


class Delivery(DeliveryListItem):
    """A delivery with all its attempts."""

    attempts: Many[DeliveryAttempt]


class DestinationMisfit(FrozenModel):
    """One reason why a destination would not accept a delivery."""

    code: str
    place: str
    detail: str


class PreviewPart(FrozenModel):
    """One message that would be sent: `text` if it is text, otherwise `base64`."""

    address: str
    media_type: str
    bytes: int
    text: str | None
    base64: str | None


class DeliveryPreview(FrozenModel):
    """What would be sent, and why it would be refused. Message ids and times will differ."""

    fits: bool
    misfits: Many[DestinationMisfit]
    unconfirmed: Many[str] = Field(description="Facts the profile assumes that are not confirmed.")
    parts: Many[PreviewPart]
