"""Models of FHIR responses in progress, which are not scored."""

from datetime import datetime

from pydantic import Field

from schemas.base import ExactDecimal, FrozenModel, Many
from schemas.patients.patient import KnownPatient


class AttainableRange(FrozenModel):
    """The least and the most that a total can still become, and the bands of both."""

    total: str = Field(description="The id of the total.")
    least: ExactDecimal
    most: ExactDecimal
    least_band: str | None = Field(default=None, description="The band of the least total.")
    most_band: str | None = Field(default=None, description="The band of the most total.")


class DraftContent(FrozenModel):
    """A response in progress as it is stored, with what its answers so far say."""

    received: str = Field(description="The QuestionnaireResponse as it was received, as JSON.")
    canonical: str = Field(description="The questionnaire, with its version.")
    instrument: str
    ranges: Many[AttainableRange] = Field(
        default=(),
        description="What the totals can still become; empty where the answers so far withhold "
        "the score.",
    )
    tier: str = Field(
        default="none",
        description="The tier of the answers so far; `none` does not mean that every red flag "
        "question was answered.",
    )
    confidential: bool = Field(
        default=False, description="Whether it has answers that stay out of portals."
    )
    moved: bool = Field(default=False, description="Whether the patient was merged since.")


class ResponseDraft(DraftContent):
    """A FHIR response in progress. `number` counts its changes."""

    id: str
    created_at: datetime
    changed_at: datetime = Field(description="When it was last changed, in UTC.")
    number: int
    patient: KnownPatient
