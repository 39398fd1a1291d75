"""Blocks of a rulebook that ask: topics, questions, and values derived from their answers."""

from operator import not_
from typing import Literal

from pydantic import Field, model_validator

from schemas.base import FrozenModel, Many, Name, Points, Text
from schemas.rulebooks.conditions import Condition

Respondent = Literal["patient", "clinician", "either"]


def _is_none(value: object) -> bool:
    return value is None


class Topic(FrozenModel):
    """`[[topic]]`: a group of questions asked together."""

    id: Name
    label: Text
    intro: Text | None = None


class Option(FrozenModel):
    """One option of a question."""

    id: Name
    label: Text


NEUTRALS: dict[str, bool | int | tuple[str, ...] | None] = {
    "boolean": False,
    "integer": 0,
    "decimal": 0,
    "multi": (),
    "choice": None,
}
"""The answer that says no, by the kind of question."""


class Question(FrozenModel):
    """`[[question]]`: one question; `shown` if no rule reads it but the report prints it.

    `core` marks the short form. Where `ask_when` is false and the question is unanswered, it does
    not apply: it is not shown, and conditions read its `neutral` answer if it has one. With
    `offers_not_concerned` a form offers "does not apply", which is sent as false.
    """

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
    core: bool = Field(default=False, exclude_if=not_)
    ask_when: Condition | None = Field(default=None, exclude_if=not_)
    neutral: bool | int | Many[Name] | None = Field(default=None, exclude_if=_is_none)
    offers_not_concerned: bool = Field(default=False, exclude_if=not_)

    @model_validator(mode="after")
    def _check_neutral(self) -> "Question":
        if self.neutral is None:
            return self
        if self.ask_when is None:
            raise ValueError("'neutral' needs 'ask_when'")
        neutral = NEUTRALS[self.kind]
        if (type(self.neutral), self.neutral) != (type(neutral), neutral):
            raise ValueError(
                "'neutral' is false, 0 or [], as the kind of question; a choice has none"
            )
        return self

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


class WholeYears(FrozenModel):
    """Years less months, in whole years rounded down; negative if there are more months."""

    years: Name
    less_months: Name

    @property
    def operands(self) -> tuple[str, str]:
        """The two questions."""
        return self.years, self.less_months


class Derived(FrozenModel):
    """`[[derived]]`: a value calculated from answers; unknown until every input is known.

    Exactly one calculation is set: `options_in` (number of marked options of one group),
    `groups_in` (number of groups with a marked option), `sum_of` or `mean_of` (of answers; true
    counts 1; the mean to two decimals), `whole_years` (between two answers), or `when` (a
    condition).
    """

    id: Name
    label: Text
    question: Name | None = None
    options_in: Name | None = None
    groups_in: Many[Name] = ()
    sum_of: Many[Name] = ()
    mean_of: Many[Name] = ()
    whole_years: WholeYears | None = Field(default=None, exclude_if=not_)
    when: Condition | None = None
    shown: bool = False
    unit: Text | None = None

    @model_validator(mode="after")
    def _check_one_calculation(self) -> "Derived":
        calculations = (
            *(self.options_in, self.groups_in, self.sum_of, self.mean_of),
            *(self.whole_years, self.when),
        )
        if sum(bool(calculation) for calculation in calculations) != 1:
            raise ValueError(
                "exactly one of options_in, groups_in, sum_of, mean_of, whole_years and when"
            )
        if bool(self.question) != bool(self.options_in or self.groups_in):
            raise ValueError(
                "'question' is required by options_in and groups_in and not allowed otherwise"
            )
        return self
