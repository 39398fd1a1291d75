"""The shape of what an organisation chooses for the forms that its patients fill in."""

from typing import Annotated

from pydantic import Field

from schemas.base import Frozen, Many
from schemas.links import Language
from schemas.patient import READABLE

Words = Annotated[str, Field(min_length=1, max_length=10_000, pattern=READABLE)]
Spoken = Annotated[str, Field(min_length=1, max_length=120, pattern=READABLE)]
Dialled = Annotated[str, Field(pattern=r"^[0-9+*#][0-9 ()*#/.-]{1,30}$")]
ByLanguage = Annotated[
    dict[Language, Words], Field(json_schema_extra={"additionalProperties": False})
]
AskAgainDays = Annotated[int, Field(ge=1, le=3660)]


class EmergencyNumber(Frozen):
    """A number to call, and who answers it."""

    label: Spoken = Field(description="Who answers, as patients call it.")
    number: Dialled
    crisis: bool = Field(default=False, description="For thoughts of ending one's life.")


class FormSettings(Frozen):
    """What patients read first, whom they can call, and what they are asked."""

    consent: ByLanguage = Field(
        default_factory=dict, description="To what the patient agrees, by language."
    )
    privacy: ByLanguage = Field(
        default_factory=dict, description="What becomes of the answers, by language."
    )
    emergency_numbers: Many[EmergencyNumber] = Field(default=(), max_length=8)
    adversity_questions: bool = Field(
        default=True, description="Whether questions on adversity and trauma are asked."
    )
    ask_again_days: AskAgainDays = 90
