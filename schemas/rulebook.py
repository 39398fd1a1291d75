"""Models of a rulebook file, with one class for each kind of TOML block, in file order.

Rules within a single block are checked here. Rules across blocks are checked by
`scoring.validation.rulebook_validation`.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.base import FrozenModel, Many, Name, Points, Share, Text
from schemas.conditions import Condition
from schemas.rulebook_name import RulebookName

Version = Annotated[
    str, StringConstraints(pattern=r"^(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})$")
]
Instrument = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
Respondent = Literal["patient", "clinician", "either"]
Grade = Annotated[str, StringConstraints(pattern=r"^[ABCD](/[ABCD])?$")]


class Header(FrozenModel):
    """`[rulebook]`: title, intended use, copyright and general settings of the instrument."""

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

    @property
    def name(self) -> str:
        """`instrument@version`."""
        return str(RulebookName(self.instrument, self.version))


class Citation(FrozenModel):
    """`[[citation]]`: one published source. `unverified` means cited from memory, not re-read."""

    id: Name
    text: Text
    doi: Annotated[str, StringConstraints(pattern=r"^10\.\d{4,9}/\S+$")] | None = None
    link: Annotated[str, StringConstraints(pattern=r"^https://\S+$")] | None = None
    unverified: bool = False


class Topic(FrozenModel):
    """`[[topic]]`: a group of questions asked together."""

    id: Name
    label: Text
    intro: Text | None = None


class Option(FrozenModel):
    """One option of a question."""

    id: Name
    label: Text


class Question(FrozenModel):
    """`[[question]]`: one question; `shown` if no rule reads it but the report prints it."""

    id: Name
    topic: Name
    who: Respondent
    kind: Literal["boolean", "integer", "decimal", "choice", "multi"]
    label: Text
    text: Text
    help: Text | None = None
    minimum: Points | None = None
    maximum: Points | None = None
    options: Many[Option] = ()
    groups: dict[Name, Many[Name]] = Field(default_factory=dict)
    optional: bool = False
    shown: bool = False
    attribution: Text | None = None

    @model_validator(mode="after")
    def _check_kind(self) -> "Question":
        has_options, is_number = bool(self.options), self.kind in ("integer", "decimal")
        if has_options != (self.kind in ("choice", "multi")):
            raise ValueError("only choice and multi questions have options")
        if is_number != (self.minimum is not None and self.maximum is not None):
            raise ValueError("minimum and maximum belong to the kinds integer and decimal")
        if self.groups and self.kind != "multi":
            raise ValueError("groups belong to the kind multi")
        return self


class Derived(FrozenModel):
    """`[[derived]]`: a value calculated from answers; unknown until every input is known.

    Exactly one calculation is set: `options_in` (number of marked options of one group),
    `groups_in` (number of groups with a marked option), `sum_of` or `mean_of` (of answers; true
    counts 1; the mean to two decimals), or `when` (a condition).
    """

    id: Name
    label: Text
    question: Name | None = None
    options_in: Name | None = None
    groups_in: Many[Name] = ()
    sum_of: Many[Name] = ()
    mean_of: Many[Name] = ()
    when: Condition | None = None
    shown: bool = False
    unit: Text | None = None

    @model_validator(mode="after")
    def _check_one_calculation(self) -> "Derived":
        calculations = (self.options_in, self.groups_in, self.sum_of, self.mean_of, self.when)
        if sum(bool(calculation) for calculation in calculations) != 1:
            raise ValueError("exactly one of options_in, groups_in, sum_of, mean_of and when")
        if bool(self.question) != bool(self.options_in or self.groups_in):
            raise ValueError(
                "'question' is required by options_in and groups_in and not allowed otherwise"
            )
        return self


class Domain(FrozenModel):
    """`[[domain]]`: a group of criteria whose summed points are clamped to floor and ceiling."""

    id: Name
    label: Text
    floor: Points
    ceiling: Points
    note: Text | None = None


class Gate(FrozenModel):
    """`[[gate]]`: a domain that counts only if other domains together reach a sum."""

    domain: Name
    needs: Many[Name] = Field(min_length=1)
    at_least: Points
    because: Text


class Level(FrozenModel):
    """One step of a criterion; `finding` is its sentence, with {ids} to be filled in."""

    id: Name
    when: Condition
    points: Points
    finding: Text


class Discount(FrozenModel):
    """A reason to reduce positive points; {which} is replaced by the matching options."""

    when: Condition
    factor: Share
    because: Text


class Criterion(FrozenModel):
    """`[[criterion]]`: one weighted claim about the answers, with its rationale."""

    id: Name
    domain: Name
    label: Text
    level: Many[Level] = Field(min_length=1, serialization_alias="levels")
    rationale: Text
    grade: Grade
    citations: Many[Name] = Field(min_length=1)
    discount: Many[Discount] = Field(default=(), serialization_alias="discounts")


class Total(FrozenModel):
    """`[[total]]`: a sum of domains. One total is `banded` and determines the band."""

    id: Name
    label: Text
    note: Text
    domains: Many[Name] = Field(min_length=1)
    banded: bool = False


class BandNeeds(FrozenModel):
    """What a band requires besides points, and the band to use otherwise."""

    when: Condition | None = None
    domains_above_zero: Many[Name] = ()
    otherwise: Name
    because: Text


class Band(FrozenModel):
    """`[[band]]`: a stretch of the scale; `from` includes its edge, `above` excludes it."""

    id: Name
    label: Text
    meaning: Text
    from_: Points | None = Field(default=None, alias="from")
    above: Points | None = None
    needs: BandNeeds | None = None

    @model_validator(mode="after")
    def _check_one_edge(self) -> "Band":
        if self.from_ is not None and self.above is not None:
            raise ValueError("a band starts 'from' a number or 'above' it, not both")
        return self


class LedgerPart(FrozenModel):
    """A total or domain in a ledger: `factor` times its points, or times their negative part."""

    total: Name | None = None
    domain: Name | None = None
    factor: Points
    only_negative: bool = False
    when: Condition | None = None

    @model_validator(mode="after")
    def _check_one_source(self) -> "LedgerPart":
        if (self.total is None) == (self.domain is None):
            raise ValueError("a ledger part names exactly one of 'total' and 'domain'")
        return self


class Ledger(FrozenModel):
    """`[[ledger]]`: the points for one pain mechanism."""

    id: Name
    label: Text
    part: Many[LedgerPart] = Field(min_length=1, serialization_alias="parts")


class Picture(FrozenModel):
    """`[[picture]]`: demands on the ledgers; the first picture that meets them all is used."""

    id: Name
    label: Text
    meaning: Text
    at_least: dict[Name, Points] = Field(default_factory=dict)
    any_at_least: dict[Name, Points] = Field(default_factory=dict)
    below: dict[Name, Points] = Field(default_factory=dict)
    exceeds: dict[Name, Name] = Field(default_factory=dict)

    @property
    def demands_nothing(self) -> bool:
        """Whether the picture matches every set of ledgers."""
        return not (self.at_least or self.any_at_least or self.below or self.exceeds)


class Tier(FrozenModel):
    """`[[tier]]`: how soon to act on a red flag, most urgent first."""

    id: Name
    label: Text
    withholds: bool = False


class Flag(FrozenModel):
    """`[[flag]]`: a finding to act on regardless of points, raised only if `when` is true.

    `about_person` marks a concern for the person's safety. It is listed first and sets the tier,
    but it does not make the score unreliable and so never withholds it.
    """

    id: Name
    tier: Name
    label: Text
    when: Condition
    suspect: Text
    action: Text
    citations: Many[Name] = Field(min_length=1)
    about_person: bool = False


class ScopeRule(FrozenModel):
    """`[[scope]]`: a reason why the instrument does not apply to a person."""

    id: Name
    label: Text
    when: Condition


class GradeStep(FrozenModel):
    """A grade, given if `when` is true, if `unless` is false or unknown, or always."""

    id: Name
    label: Text
    when: Condition | None = None
    unless: Condition | None = None

    @model_validator(mode="after")
    def _check_one_condition(self) -> "GradeStep":
        if self.when is not None and self.unless is not None:
            raise ValueError("a grade has 'when' or 'unless', not both")
        return self


class GradingCriterion(FrozenModel):
    """One criterion of a published grading; with `not_met`, it is unknown if neither is true."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$")]
    label: Text
    met: Condition
    not_met: Condition | None = None


class Grading(FrozenModel):
    """`[[grading]]`: a published grading system that never affects the points."""

    id: Name
    label: Text
    note: Text
    grade: Many[GradeStep] = Field(min_length=1, serialization_alias="grades")
    criterion: Many[GradingCriterion] = Field(default=(), serialization_alias="criteria")
    citations: Many[Name] = Field(min_length=1)


class Pattern(FrozenModel):
    """`[[pattern]]`: one pattern of the evidence sheet, with the strength of its evidence."""

    number: int = Field(ge=1)
    label: Text
    criteria: Many[Name] = Field(min_length=1)
    seen: Condition
    not_seen: Condition | None = None
    evidence: Text


class Prevalence(FrozenModel):
    """The share of people without pain who have a finding at one age, with its own sources."""

    age: int = Field(ge=0, le=120)
    share: Share
    note: Text | None = None
    citations: Many[Name] = ()


class Finding(FrozenModel):
    """`[[finding]]`: an imaging finding in context; it never affects the points."""

    id: Name
    label: Text
    question: Name
    population: Text
    text: Text | None = None
    share: Share | None = None
    at_age: Many[Prevalence] = ()
    age_question: Name | None = None
    counter_evidence: Text
    never_incidental: bool = False
    citations: Many[Name] = ()

    @model_validator(mode="after")
    def _check_ages(self) -> "Finding":
        ages = [row.age for row in self.at_age]
        if ages != sorted(set(ages)):
            raise ValueError("at_age rows must be in ascending order of age, without repeats")
        if bool(ages) != bool(self.age_question):
            raise ValueError("at_age rows and age_question require each other")
        if ages and self.share is not None:
            raise ValueError("set either share or at_age, not both")
        return self


class NextStep(FrozenModel):
    """`[[next_step]]`: an option for the clinician to consider, never an instruction."""

    id: Name
    label: Text
    certainty: Text
    citations: Many[Name] = ()
    pictures: Many[Name] = ()
    statuses: Many[Literal["insufficient_information", "scored"]] = ()
    when: Condition | None = None


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
    next_step: Many[NextStep] = Field(default=(), serialization_alias="next_steps")
    limitation: Many[Limitation] = Field(min_length=1, serialization_alias="limitations")

    @property
    def questions_by_id(self) -> dict[str, Question]:
        """The questions by their ids, in order."""
        return {question.id: question for question in self.question}
