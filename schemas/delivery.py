"""The shape of what goes out: destinations, deliveries with their attempts, previews."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.base import Frozen, Many
from schemas.organisation import Title

Event = Literal["result", "replacement", "withdrawal"]
DestinationId = Annotated[str, Field(pattern=r"^d-[0-9a-f-]{36}$")]
State = Literal["waiting", "under_way", "delivered", "parked", "cancelled"]


class Place(Frozen):
    """A host and port that may be reached; `private` where it may lie in the house."""

    host: str
    port: int
    private: bool


class Smart(Frozen):
    """How we sign in at a FHIR server: SMART Backend Services, by a key of our own."""

    token_url: str = Field(max_length=2000, pattern=r"^https?://[\x21-\x7e]+$")
    client_id: str = Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")
    scope: str = Field(
        default="system/DocumentReference.c system/Observation.c",
        max_length=1000,
        pattern=r"^[\x20-\x7e]+$",
    )


class Destination(Frozen):
    """A receiver of deliveries."""

    id: str
    name: Title
    profile: str
    address: str
    active: bool
    follows: bool = Field(description="Whether corrections and withdrawals follow by themselves.")
    options: dict[str, Any]
    smart: Smart | None
    public_key: dict[str, str] | None = Field(
        description="To be registered at the receiver, as a JWK, for SMART Backend Services."
    )
    own_certificate: bool
    waiting: int
    parked: int
    created_at: datetime


class Attempt(Frozen):
    """One try. `unknown` where the sender ended before it knew."""

    number: int
    begun_at: datetime
    ended_at: datetime | None
    outcome: str
    code: str = Field(description="What the receiver said: AA, AE, AR, an HTTP status.")
    reply: str | None = Field(description="The beginning of what it answered.")


class DeliveryLine(Frozen):
    """One screening on its way to one destination."""

    id: str
    screening: str
    destination: str
    event: Event
    state: State
    reason: str = Field(description="Why it is as it is, by one word; empty where all is well.")
    control_id: str
    tries: int
    due_at: datetime | None
    created_at: datetime
    created_by: str
    ended_at: datetime | None


class Delivery(DeliveryLine):
    """The same with every try."""

    attempts: Many[Attempt]


class Misfit(Frozen):
    """One reason why a destination would not take it."""

    code: str
    place: str
    detail: str


class Part(Frozen):
    """One thing that would be sent, exactly; text where it is text, else base64."""

    address: str
    media_type: str
    bytes: int
    text: str | None
    base64: str | None


class Preview(Frozen):
    """What would be sent, and why it would be refused. Numbers and instants are made anew."""

    fits: bool
    misfits: Many[Misfit]
    unconfirmed: Many[str] = Field(description="What the profile believes and nobody confirmed.")
    parts: Many[Part]
