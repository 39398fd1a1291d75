"""Models of an assessment in short: what a list or a dashboard shows, without the reasons."""

from dataclasses import dataclass

from pydantic import MISSING

from schemas.assessments.assessment import BandRange, Range, Status
from schemas.base import ExactDecimal, FrozenModel, FrozenPart, Many, Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortTotal(FrozenPart):
    """One total with its range and band, without the meaning in words."""

    points: ExactDecimal
    range: Range
    band: str | None
    band_range: BandRange | MISSING | None = MISSING


class ShortAssessment(FrozenModel):
    """The result of scoring one intake without its reasons. Withheld parts are null."""

    rulebook: str
    rulebook_sha256: Sha256
    status: Status
    tier: str
    all_asked: bool
    flags: Many[str]
    totals: dict[str, ShortTotal] | None
    criteria: dict[str, ExactDecimal | None] | None
