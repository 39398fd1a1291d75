"""Blocks of a rulebook that never weigh: red flags, scope, gradings, patterns and findings."""

from operator import not_
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from schemas.base import FrozenModel, Many, Name, Share, Text
from schemas.rulebooks.conditions import Condition


class Tier(FrozenModel):
    """`[[tier]]`: how soon to act on a red flag, most urgent first."""

    id: Name
    label: Text
    withholds: bool = False


class Flag(FrozenModel):
    """`[[flag]]`: a finding to act on regardless of points, raised only if `when` is true.

    `about_person` marks a concern for the person's safety, which does not make the score
    unreliable and so never withholds it. It is not raised where `unless` is true. An attested
    option of `assessed_by` shows it as assessed.
    """

    id: Name
    tier: Name
    label: Text
    when: Condition
    suspect: Text
    action: Text
    citations: Many[Name] = Field(min_length=1)
    about_person: bool = False
    unless: Condition | None = Field(default=None, exclude_if=not_)
    assessed_by: Many[Name] = Field(default=(), exclude_if=not_)


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
    never_on_sheet: bool = Field(default=False, exclude_if=not_)


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
