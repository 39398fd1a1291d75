"""The model of a rulebook file, with its header; every other block is a class of its own.

Blocks that ask are in `questionnaire`, that weigh in `scale`, that only inform in
`clinical_context`, and those of the second generation of rules in `guidance`. Rules within a
single block are checked there, rules across blocks by `scoring.validation.rulebook_validation`.
"""

from operator import not_
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from schemas.base import FrozenModel, Many, Name, Text
from schemas.rulebooks.clinical_context import (
    Finding,
    Flag,
    GradeStep,
    Grading,
    GradingCriterion,
    Pattern,
    Prevalence,
    ScopeRule,
    Tier,
)
from schemas.rulebooks.conditions import Condition
from schemas.rulebooks.guidance import (
    AcceptableRange,
    Alternative,
    Caution,
    ContradictionRule,
    NextStep,
    NoBandReason,
    SheetRule,
)
from schemas.rulebooks.questionnaire import Derived, Option, Question, Respondent, Topic, WholeYears
from schemas.rulebooks.rulebook_name import RulebookName
from schemas.rulebooks.scale import (
    Band,
    BandNeeds,
    Criterion,
    Discount,
    Domain,
    Gate,
    Grade,
    Ledger,
    LedgerPart,
    Level,
    Picture,
    Total,
)

__all__ = [
    "AcceptableRange",
    "Alternative",
    "Band",
    "BandNeeds",
    "Caution",
    "Citation",
    "ContradictionRule",
    "Criterion",
    "Derived",
    "Discount",
    "Domain",
    "Finding",
    "Flag",
    "Gate",
    "Grade",
    "GradeStep",
    "Grading",
    "GradingCriterion",
    "Header",
    "Instrument",
    "Ledger",
    "LedgerPart",
    "Level",
    "Limitation",
    "NextStep",
    "NoBandReason",
    "Option",
    "Pattern",
    "Picture",
    "Prevalence",
    "Question",
    "Respondent",
    "Rulebook",
    "ScopeRule",
    "SheetRule",
    "Tier",
    "Topic",
    "Total",
    "Version",
    "WholeYears",
    "Wording",
]

Version = Annotated[
    str, StringConstraints(pattern=r"^(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})$")
]
Instrument = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]


class Header(FrozenModel):
    """`[rulebook]`: title, intended use, copyright and general settings of the instrument.

    `scoring_rules` is the generation of rules that it is scored by: `scoring.first_rules` or
    `scoring.second_rules`.
    """

    instrument: Instrument
    version: Version
    title: Text
    summary: Text
    intended_use: Text
    language: Literal["en"]
    points_are: Text
    copyright: Text
    must_answer: Many[Name] = ()
    safety_questions: Many[Name] = ()
    bands_apart: int = Field(default=2, ge=0)
    scoring_rules: Literal[1, 2] = Field(default=1, exclude_if=lambda rules: rules == 1)
    scope_questions: Many[Name] = Field(default=(), exclude_if=not_)
    assessed_question: Name | None = Field(default=None, exclude_if=not_)
    confidential_questions: Many[Name] = Field(default=(), exclude_if=not_)
    alternatives_from: int = Field(default=1, ge=1, exclude_if=lambda strength: strength == 1)
    crisis_lines_when: Condition | None = Field(default=None, exclude_if=not_)

    @property
    def name(self) -> str:
        """`instrument@version`."""
        return str(RulebookName(self.instrument, self.version))

    @property
    def counts_certain_points(self) -> bool:
        """Whether an unanswered criterion counts what is certain, and not 0."""
        return self.scoring_rules > 1


class Citation(FrozenModel):
    """`[[citation]]`: one published source. `unverified` means cited from memory, not re-read."""

    id: Name
    text: Text
    title: Text | None = Field(default=None, exclude_if=not_)
    doi: Annotated[str, StringConstraints(pattern=r"^10\.\d{4,9}/\S+$")] | None = None
    link: Annotated[str, StringConstraints(pattern=r"^https://\S+$")] | None = None
    unverified: bool = False


class Limitation(FrozenModel):
    """`[[limitation]]`: a limitation of the assessment, always or if a condition is true."""

    text: Text
    when: Condition | None = None
    where_not_attested: bool = False


class Wording(FrozenModel):
    """`[wording]`: templates of the engine's sentences, with {placeholders}."""

    answered: Text
    discounted: Text
    unanswered: Text
    points: Text
    point: Text
    listed: Text
    nothing_marked: Text
    and_: Text = Field(alias="and")
    truth_true: Text
    truth_false: Text
    not_answered: Text
    unverified_sources: Text
    no_flag: Text
    no_flag_asked: Text
    withheld: Text
    out_of_scope: Text
    insufficient: Text
    scored: Text
    as_answered_so_far: Text | None = Field(default=None, exclude_if=not_)
    band_would_be: Text | None = Field(default=None, exclude_if=not_)
    between_bands: Text | None = Field(default=None, exclude_if=not_)
    not_safe_to_rely_on: Text | None = Field(default=None, exclude_if=not_)
    does_not_concern: Text | None = Field(default=None, exclude_if=not_)
    needed_for_safety: Text | None = Field(default=None, exclude_if=not_)
    no_alternatives: Text | None = Field(default=None, exclude_if=not_)
    no_contradictions: Text | None = Field(default=None, exclude_if=not_)


def _new_block(plural: str) -> Any:
    """Return a field of blocks that is left out of JSON where there are none."""
    return Field(default=(), serialization_alias=plural, exclude_if=not_)


class Rulebook(FrozenModel):
    """One version of one instrument, unchanged after release. JSON uses plurals for lists."""

    rulebook: Header
    wording: Wording
    citation: Many[Citation] = Field(min_length=1, serialization_alias="citations")
    topic: Many[Topic] = Field(min_length=1, serialization_alias="topics")
    question: Many[Question] = Field(min_length=1, serialization_alias="questions")
    derived: Many[Derived] = ()
    domain: Many[Domain] = Field(min_length=1, serialization_alias="domains")
    gate: Many[Gate] = Field(default=(), serialization_alias="gates")
    criterion: Many[Criterion] = Field(min_length=1, serialization_alias="criteria")
    total: Many[Total] = Field(min_length=1, serialization_alias="totals")
    band: Many[Band] = Field(default=(), serialization_alias="bands")
    ledger: Many[Ledger] = Field(default=(), serialization_alias="ledgers")
    picture: Many[Picture] = Field(default=(), serialization_alias="pictures")
    tier: Many[Tier] = Field(default=(), serialization_alias="tiers")
    flag: Many[Flag] = Field(default=(), serialization_alias="flags")
    scope: Many[ScopeRule] = ()
    grading: Many[Grading] = Field(default=(), serialization_alias="gradings")
    pattern: Many[Pattern] = Field(default=(), serialization_alias="patterns")
    finding: Many[Finding] = Field(default=(), serialization_alias="findings")
    acceptable_range: Many[AcceptableRange] = _new_block("acceptable_ranges")
    no_band_reason: Many[NoBandReason] = _new_block("no_band_reasons")
    alternative: Many[Alternative] = _new_block("alternatives")
    contradiction: Many[ContradictionRule] = _new_block("contradictions")
    caution: Many[Caution] = _new_block("cautions")
    next_step: Many[NextStep] = Field(default=(), serialization_alias="next_steps")
    sheet: Many[SheetRule] = _new_block("sheets")
    limitation: Many[Limitation] = Field(min_length=1, serialization_alias="limitations")

    @property
    def questions_by_id(self) -> dict[str, Question]:
        """The questions by their ids, in order."""
        return {question.id: question for question in self.question}
