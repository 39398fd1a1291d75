"""Blocks of a rulebook that weigh: domains, criteria, totals, bands, ledgers and pictures."""

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from schemas.base import FrozenModel, Many, Name, Points, Share, Text
from schemas.rulebooks.conditions import Condition

Grade = Annotated[str, StringConstraints(pattern=r"^[ABCD](/[ABCD])?$")]


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
