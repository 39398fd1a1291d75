"""Models of notifications: e-mail and SMS without clinical content."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.base import FrozenModel
from schemas.text import TEXT_RULE

NotificationKind = Literal["invitation", "reminder", "arrival", "alert"]
NotificationState = Literal["waiting", "sent", "parked", "cancelled"]
Medium = Literal["email", "sms"]
EmailAddress = Annotated[
    str,
    Field(
        max_length=254,
        pattern=r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
        r"@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$",
    ),
    TEXT_RULE,
]
MobileNumber = Annotated[
    str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="With country code: +491701234567.")
]
ReminderDays = Annotated[int, Field(ge=0, le=60)]


class Recipient(FrozenModel):
    """The address at which a patient is reached: an e-mail address or a mobile number."""

    medium: Medium
    address: EmailAddress | MobileNumber

    @model_validator(mode="after")
    def check_address(self) -> "Recipient":
        """Refuse a number for an e-mail and an e-mail address for an SMS."""
        if ("@" in self.address) != (self.medium == "email"):
            raise ValueError("address: must fit the medium")
        return self


class NotificationContent(FrozenModel):
    """What a notification needs to be sent. `url` is erased as soon as it was sent or dismissed."""

    language: str
    address: str | None = Field(
        default=None, description="The patient's address; a practitioner's is looked up."
    )
    url: str | None = None
    initial: str | None = None


class FailedNotification(FrozenModel):
    """A notification that was refused or could not be sent, for a person to decide on."""

    id: str
    kind: NotificationKind
    medium: Medium
    to: str = Field(description="The address of a patient, or the name of a practitioner.")
    reason: str
    code: str
    failed_at: datetime


class StoredNotification(FrozenModel):
    """A notification about a patient, as exported with everything else on the patient."""

    kind: NotificationKind
    medium: Medium
    address: str | None = Field(description="The patient's address; null for a practitioner.")
    state: NotificationState
    created_at: datetime
