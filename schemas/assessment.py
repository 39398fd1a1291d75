"""The shape of an assessment: what scoring returns for one intake, the same for every instrument.

Where a part is withheld, it is null. Points are JSON numbers, exact to two decimals.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Exact, Frozen, Many, Part

Status = Literal["withheld_red_flag", "out_of_scope", "insufficient_information", "scored"]
AnswerValue = bool | int | Exact | str | Many[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedFlag(Part):
    """A red flag that is present, with what to do about it."""

    id: str
    tier: str
    label: str
    suspect: str
    action: str
    citations: Many[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety(Part):
    """Red flags first: `tier` is the most urgent one present, or `none` where none was reported."""

    tier: str
    all_asked: bool
    unanswered: Many[str]
    flags: Many[RaisedFlag]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeReason(Part):
    """Why the instrument was not made for this person."""

    id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope(Part):
    """Reasons that put the intake out of scope, and the scope questions still unanswered."""

    reasons: Many[ScopeReason]
    unanswered: Many[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range(Part):
    """The least and the most that a total can still become once everything is answered."""

    least: Exact
    most: Exact


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalPoints(Part):
    """One total with its range; band and meaning only where it is banded and they are given."""

    points: Exact
    range: Range
    band: str | None
    meaning: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MechanismPicture(Part):
    """The mechanisms side by side; they are never forced to sum to one."""

    id: str | None
    label: str | None
    ledgers: dict[str, Exact]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPoints(Part):
    """A domain's sum, and its points after floor, ceiling and gate."""

    id: str
    label: str
    points: Exact
    sum: Exact
    floor: Exact
    ceiling: Exact


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedDiscount(Part):
    """What the positive points were multiplied by, and why."""

    factor: Exact
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedCriterion(Part):
    """One criterion: what was answered, what it gives, and why, in a sentence to contest."""

    id: str
    domain: str
    label: str
    verdict: Literal["for", "against", "neutral", "unanswered"]
    answers: dict[str, AnswerValue | None]
    level: str | None
    points: Exact | None
    full_points: Exact | None
    discount: AppliedDiscount | None
    because: str
    grade: str
    citations: Many[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingAnswer(Part):
    """A question not answered, and the points its criteria could still swing."""

    question: str
    swing: Exact


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf(Part):
    """The banded total and its band if one criterion gave nothing."""

    criterion: str
    points: Exact
    band: str | None
    changes_band: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedCriterion(Part):
    """One line of a published grading; null means unknown."""

    id: str
    label: str
    met: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingReached(Part):
    """A published grading, kept beside the score and never inside it."""

    grade: str
    label: str
    criteria: Many[GradedCriterion]
    citations: Many[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternState(Part):
    """One line of the evidence sheet."""

    number: int
    label: str
    state: Literal["seen", "not_seen", "not_asked"]
    criteria: Many[str]
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns(Part):
    """The evidence sheet; `seen` is a count and not the score."""

    seen: int
    list: Many[PatternState]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingInContext(Part):
    """A reported imaging finding beside its frequency without pain, and what speaks against."""

    id: str
    label: str
    prevalence: Exact | None
    age: int | None
    population: str
    text: str | None
    counter_evidence: str
    never_incidental: bool
    citations: Many[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStepOffered(Part):
    """An option for the clinician, never an order."""

    id: str
    label: str
    certainty: str
    citations: Many[str]


class Assessment(Frozen):
    """How far one intake points to what is screened for, with every reason. Not a diagnosis."""

    rulebook: str
    rulebook_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    status: Status
    safety: Safety
    scope: Scope
    totals: dict[str, TotalPoints] | None
    picture: MechanismPicture | None
    domains: Many[DomainPoints] | None
    criteria: Many[WeighedCriterion] | None
    missing: Many[MissingAnswer] | None
    what_if: Many[WhatIf] | None
    gradings: dict[str, GradingReached] | None
    derived: dict[str, bool | int | Exact | None] | None
    patterns: Patterns | None
    findings: Many[FindingInContext] | None
    next_steps: Many[NextStepOffered] | None
    limitations: Many[str]
