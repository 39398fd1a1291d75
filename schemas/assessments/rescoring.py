"""Models of rescoring: answers carried to another version, and what came out differently."""

from typing import Any

from pydantic import Field

from schemas.assessments.assessment import Assessment
from schemas.base import FrozenModel, Many


class AskedAgain(FrozenModel):
    """A question to ask again, and the earlier questions whose answers could not be carried."""

    question: str
    because_of: Many[str]


class CarriedIntake(FrozenModel):
    """Answers as carried to another version, and what that version asks besides."""

    answers: dict[str, Any] = Field(description="The carried answers, by question.")
    ask_again: Many[AskedAgain]
    options_not_asked: dict[str, Many[str]] = Field(
        description="New options of carried questions, which were not asked."
    )


class Change(FrozenModel):
    """A word of the result under the earlier version and under the new one."""

    before: str | None
    after: str | None


class Differences(FrozenModel):
    """What differs between two assessments of one intake; `criteria` are those of both versions."""

    changes_result: bool = Field(
        description="Whether the status, the tier, the band or a flag differs."
    )
    status: Change
    tier: Change
    band: Change
    lost_flags: Many[str]
    new_flags: Many[str]
    criteria: Many[str] = Field(description="The criteria with other points.")


class RescoredAnswers(FrozenModel):
    """Answers scored under another version. Nothing is stored."""

    assessment: Assessment
    carried_intake: CarriedIntake
    differences: Differences


class RescoredLine(FrozenModel):
    """A stored screening whose result would be another one."""

    screening: str
    differences: Differences


class RescoringReport(FrozenModel):
    """What an organisation's screenings in force would become under another version.

    The counts are of screenings: by change of status, tier and band (`before > after`), by red flag
    and by criterion with other points.
    """

    from_rulebook: str
    to_rulebook: str
    screenings: int
    changed_results: int
    status: dict[str, int]
    tier: dict[str, int]
    band: dict[str, int]
    lost_flags: dict[str, int]
    new_flags: dict[str, int]
    criteria: dict[str, int]
    ask_again: dict[str, int] = Field(description="Screenings by question to ask again.")
    changed: Many[RescoredLine]


class ReplayFault(FrozenModel):
    """A stored screening whose assessment is not the same when scored again."""

    organisation: str
    screening: str
    rulebook: str
    fault: str


class ReplayReport(FrozenModel):
    """Whether every stored assessment is the same byte for byte when scored again."""

    screenings: int
    faults: Many[ReplayFault]
