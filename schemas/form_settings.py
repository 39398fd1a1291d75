"""Models of an organisation's settings for patient forms."""

from typing import Annotated

from pydantic import Field

from schemas.base import FrozenModel, Many
from schemas.links import Language
from schemas.notification import ReminderDays
from schemas.patient import READABLE

PatientText = Annotated[str, Field(min_length=1, max_length=10_000, pattern=READABLE)]
EmergencyLabel = Annotated[str, Field(min_length=1, max_length=120, pattern=READABLE)]
PhoneNumber = Annotated[str, Field(pattern=r"^[0-9+*#][0-9 ()*#/.-]{1,30}$")]
TextByLanguage = Annotated[
    dict[Language, PatientText], Field(json_schema_extra={"additionalProperties": False})
]
AskAgainDays = Annotated[int, Field(ge=1, le=3660)]


class EmergencyNumber(FrozenModel):
    """An emergency phone number and its label."""

    label: EmergencyLabel = Field(description="The name of the service as patients know it.")
    number: PhoneNumber
    crisis: bool = Field(default=False, description="A crisis line for suicidal thoughts.")


class FormSettings(FrozenModel):
    """Consent and privacy texts, emergency numbers, and the questions asked."""

    consent: TextByLanguage = Field(
        default_factory=dict, description="The consent text, by language."
    )
    privacy: TextByLanguage = Field(
        default_factory=dict, description="How the answers are used and stored, by language."
    )
    emergency_numbers: Many[EmergencyNumber] = Field(default=(), max_length=8)
    adversity_questions: bool = Field(
        default=True, description="Whether to ask questions on adversity and trauma."
    )
    ask_again_days: AskAgainDays = 90
    reminder_days: ReminderDays = Field(
        default=3,
        description="After how many days without answers a patient who was invited by e-mail or "
        "SMS is reminded once; 0 for never.",
    )
    initial_in_mail: bool = Field(
        default=False,
        description="Whether messages to practitioners show the first letter of a patient's name.",
    )
