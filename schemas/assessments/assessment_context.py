"""Models of what an assessment says besides points: gradings, patterns, next steps ..."""

from dataclasses import dataclass
from typing import Literal

from pydantic import MISSING

from schemas.base import ExactDecimal, FrozenPart, Many


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedCriterion(FrozenPart):
    """One criterion of a published grading; `met` is null if unknown."""

    id: str
    label: str
    met: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingResult(FrozenPart):
    """The result of a published grading. It never affects the points."""

    grade: str
    label: str
    criteria: Many[GradedCriterion]
    citations: Many[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternState(FrozenPart):
    """The state of one pattern of the evidence sheet."""

    number: int
    label: str
    state: Literal["seen", "not_seen", "not_asked"]
    criteria: Many[str]
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns(FrozenPart):
    """The evidence sheet; `seen` counts the patterns present and is not a score."""

    seen: int
    list: Many[PatternState]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingInContext(FrozenPart):
    """A reported imaging finding, with its prevalence without pain and the counter-evidence."""

    id: str
    label: str
    prevalence: ExactDecimal | None
    age: int | None
    population: str
    text: str | None
    counter_evidence: str
    never_incidental: bool
    citations: Many[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStepOption(FrozenPart):
    """An option for the clinician to consider, never an instruction.

    Options come in the order of their `rung`; `cautions` are those that hold for this person.
    """

    id: str
    label: str
    certainty: str
    citations: Many[str]
    rung: int | MISSING = MISSING
    cautions: Many[str] | MISSING = MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeExplanation(FrozenPart):
    """Another explanation of the answers: its true signs, and what would settle it.

    `strength` is the sum of its signs, which orders explanations and is not a likelihood.
    """

    id: str
    label: str
    strength: int
    signs: Many[str]
    settle: str
    citations: Many[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction(FrozenPart):
    """Answers that contradict each other, in one sentence."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientSheet(FrozenPart):
    """The kind of sheet the patient may have, and whether it prints the crisis lines."""

    kind: str
    crisis_lines: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance(FrozenPart):
    """What an assessment advises: options for the clinician, and the patient's sheet."""

    next_steps: Many[NextStepOption]
    sheet: PatientSheet
