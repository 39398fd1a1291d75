"""Models of an organisation's settings for patient forms."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import FrozenModel, Many
from schemas.notification import ReminderDays
from schemas.patients.links import Language
from schemas.text import READABLE, TEXT_RULE

PatientText = Annotated[str, Field(min_length=1, max_length=10_000, pattern=READABLE), TEXT_RULE]
EmergencyLabel = Annotated[str, Field(min_length=1, max_length=120, pattern=READABLE), TEXT_RULE]
PhoneNumber = Annotated[str, Field(pattern=r"^[0-9+*#][0-9 ()*#/.-]{1,30}$")]
TextByLanguage = Annotated[
    dict[Language, PatientText], Field(json_schema_extra={"additionalProperties": False})
]
AskAgainDays = Annotated[int, Field(ge=1, le=3660)]


class EmergencyNumber(FrozenModel):
    """An emergency phone number and its label."""

    label: EmergencyLabel | None = Field(
        default=None,
        description="The name of the service as patients know it; null: what the number is for, in "
        "the reader's language.",
    )
    number: PhoneNumber
    crisis: bool = Field(default=False, description="A crisis line for suicidal thoughts.")
    violence: bool = Field(default=False, description="A helpline for violence at home.")

    @property
    def kind(self) -> Literal["emergency", "crisis", "violence"]:
        """What the number is for."""
        if self.crisis:
            return "crisis"
        return "violence" if self.violence else "emergency"


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
    practice_phone: PhoneNumber | None = Field(
        default=None, description="The practice's own number, for patients and letterheads."
    )
    reminder_days: ReminderDays = Field(
        default=3,
        description="After how many days without answers a patient who was invited by e-mail or "
        "SMS is reminded once; 0 for never.",
    )
    initial_in_mail: bool = Field(
        default=False,
        description="Whether messages to practitioners show the first letter of a patient's name.",
    )
    languages: Many[Language] = Field(
        default=(),
        max_length=20,
        description="The languages that patients are offered; none for all that there are.",
    )
