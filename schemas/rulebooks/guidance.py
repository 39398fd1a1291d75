"""Blocks of a rulebook that say more than points: when a band is given, and what it calls for.

They belong to the second generation of scoring rules; a rulebook without them gets none of it.
"""

from operator import not_
from typing import Literal

from pydantic import Field, model_validator

from schemas.base import FrozenModel, Many, Name, Text
from schemas.rulebooks.conditions import Condition


class AcceptableRange(FrozenModel):
    """`[[acceptable_range]]`: a range of bands narrow enough for a band; all its keys must hold.

    `ends` are the least and the most band, `answered` the questions that must be answered unless
    they do not apply.
    """

    most_bands_apart: int = Field(ge=0)
    ends: Many[Name] = ()
    when: Condition | None = None
    answered: Many[Name] = ()

    @model_validator(mode="after")
    def _check_ends(self) -> "AcceptableRange":
        if len(self.ends) not in (0, 2):
            raise ValueError("'ends' names the least and the most band")
        return self


class NoBandReason(FrozenModel):
    """`[[no_band_reason]]`: why no band is given: an open question or a range that is too wide."""

    id: Name
    text: Text
    unanswered: Many[Name] = ()
    range_too_wide: bool = False

    @model_validator(mode="after")
    def _check_one_reason(self) -> "NoBandReason":
        if bool(self.unanswered) == self.range_too_wide:
            raise ValueError("exactly one of 'unanswered' and 'range_too_wide'")
        return self


class Caution(FrozenModel):
    """`[[caution]]`: a warning printed under the next steps that name it, where it is true."""

    id: Name
    when: Condition
    text: Text


class NextStep(FrozenModel):
    """`[[next_step]]`: an option for the clinician to consider, never an instruction."""

    id: Name
    label: Text
    certainty: Text
    citations: Many[Name] = ()
    pictures: Many[Name] = ()
    statuses: Many[Literal["insufficient_information", "scored"]] = ()
    when: Condition | None = None
    not_when: Condition | None = Field(default=None, exclude_if=not_)
    cautions: Many[Name] = Field(default=(), exclude_if=not_)
    rung: int = Field(default=0, ge=0, exclude_if=not_)


class Sign(FrozenModel):
    """One sign of another explanation: its strength, and its words where it is true."""

    strength: int = Field(ge=1)
    when: Condition
    words: Text


class Alternative(FrozenModel):
    """`[[alternative]]`: another explanation of the answers, and what would settle it.

    Its strength is the sum of its true signs. It is not listed where `unless` is true.
    """

    id: Name
    label: Text
    sign: Many[Sign] = Field(min_length=1, serialization_alias="signs")
    settle: Text
    citations: Many[Name] = Field(min_length=1)
    unless: Condition | None = None


class ContradictionRule(FrozenModel):
    """`[[contradiction]]`: answers that contradict each other."""

    id: Name
    when: Condition
    text: Text


class SheetRule(FrozenModel):
    """`[[sheet]]`: a kind of patient's sheet; the first whose condition is true is used."""

    kind: Name
    when: Condition
