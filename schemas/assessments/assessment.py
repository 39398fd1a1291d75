"""Models of an assessment, the result of scoring one intake: safety, scope and points.

The structure is the same for every instrument. A withheld part is null. Points are JSON numbers,
exact to two decimals. What only the second generation of scoring rules gives is MISSING, and left
out of JSON, in an assessment by the first.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import MISSING, Field

from schemas.assessments.assessment_context import (
    AlternativeExplanation,
    Contradiction,
    FindingInContext,
    GradingResult,
    NextStepOption,
    PatientSheet,
    Patterns,
)
from schemas.base import ExactDecimal, FrozenModel, FrozenPart, Many, Sha256

Status = Literal["withheld_red_flag", "out_of_scope", "insufficient_information", "scored"]
AnswerValue = bool | int | ExactDecimal | str | Many[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedFlag(FrozenPart):
    """A red flag that is present, with the recommended action.

    An `assessed` flag is shown at the least urgent tier, not at its own. One that is
    `about_person` never withholds the points, and makes the assessment confidential.
    """

    id: str
    tier: str
    label: str
    suspect: str
    action: str
    citations: Many[str]
    about_person: bool | MISSING = MISSING
    assessed: bool | MISSING = MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety(FrozenPart):
    """Red flags: `tier` is the most urgent tier present, or `none` if no red flag was reported."""

    tier: str
    all_asked: bool
    unanswered: Many[str]
    flags: Many[RaisedFlag]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeReason(FrozenPart):
    """A reason why the instrument does not apply to this person."""

    id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope(FrozenPart):
    """Reasons that put the intake out of scope, and the unanswered scope questions."""

    reasons: Many[ScopeReason]
    unanswered: Many[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range(FrozenPart):
    """The least and the most a total can still become once everything is answered."""

    least: ExactDecimal
    most: ExactDecimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BandRange(FrozenPart):
    """The bands of the least and the most that a total can still become."""

    least: str
    most: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalPoints(FrozenPart):
    """One total with its range; band and meaning are null unless the total is placed in a band.

    `band_range` has the bands that it can still become; a total without bands has none.
    """

    points: ExactDecimal
    range: Range
    band: str | None
    meaning: str | None
    band_range: BandRange | MISSING | None = MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBand(FrozenPart):
    """A reason why no band is given."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MechanismPicture(FrozenPart):
    """The points for each pain mechanism. They need not add up to a fixed sum."""

    id: str | None
    label: str | None
    ledgers: dict[str, ExactDecimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPoints(FrozenPart):
    """The sum of a domain, and its points after floor, ceiling and gate."""

    id: str
    label: str
    points: ExactDecimal
    sum: ExactDecimal
    floor: ExactDecimal
    ceiling: ExactDecimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedDiscount(FrozenPart):
    """The factor by which positive points were multiplied, and the reason."""

    factor: ExactDecimal
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedCriterion(FrozenPart):
    """One criterion: its answers, its points and the explanation in one sentence.

    An unanswered one has no level; its points are null, or those that are certain.
    """

    id: str
    domain: str
    label: str
    verdict: Literal["for", "against", "neutral", "unanswered"]
    answers: dict[str, AnswerValue | None]
    level: str | None
    points: ExactDecimal | None
    full_points: ExactDecimal | None
    discount: AppliedDiscount | None
    because: str
    grade: str
    citations: Many[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingAnswer(FrozenPart):
    """An unanswered question, and how many points its criteria could still move.

    The swing of a question that is needed for safety is null.
    """

    question: str
    swing: ExactDecimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf(FrozenPart):
    """The banded total and its band without the points of one criterion."""

    criterion: str
    points: ExactDecimal
    band: str | None
    changes_band: bool | None


class Assessment(FrozenModel):
    """The result of scoring one intake, with the reasons for it. Not a diagnosis."""

    rulebook: str
    rulebook_sha256: Sha256
    status: Status
    safety: Safety
    scope: Scope
    totals: dict[str, TotalPoints] | None
    why_no_band: Annotated[
        Many[NoBand] | MISSING | None,
        Field(description="Why no band is given; empty if there is one."),
    ] = MISSING
    picture: MechanismPicture | None
    domains: Many[DomainPoints] | None
    criteria: Many[WeighedCriterion] | None
    missing: Many[MissingAnswer] | None
    ask_first: Annotated[
        Many[str] | MISSING | None,
        Field(description="At most three of the missing questions, those to ask first."),
    ] = MISSING
    not_asked: Annotated[
        Many[str] | MISSING,
        Field(description="Questions that do not apply to this person. Never read as a no."),
    ] = MISSING
    what_if: Many[WhatIf] | None
    gradings: dict[str, GradingResult] | None
    derived: dict[str, bool | int | ExactDecimal | None] | None
    patterns: Patterns | None
    findings: Many[FindingInContext] | None
    alternatives: Annotated[
        Many[AlternativeExplanation] | MISSING,
        Field(description="Other explanations, the strongest first. They never change points."),
    ] = MISSING
    contradictions: Annotated[
        Many[Contradiction] | MISSING,
        Field(description="Answers that contradict each other. They never change points."),
    ] = MISSING
    next_steps: Many[NextStepOption] | None
    sheet: PatientSheet | MISSING = MISSING
    confidential: Annotated[
        bool | MISSING,
        Field(
            description="Whether there are flags about the person or answers about adversity or "
            "trauma. Such an assessment is restricted in every format."
        ),
    ] = MISSING
    limitations: Many[str]

    def find_band(self) -> str | None:
        """Return the id of the first band that a total reached; None without a band."""
        return next((total.band for total in (self.totals or {}).values() if total.band), None)
