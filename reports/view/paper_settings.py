"""Load what paper knows of questions besides what a rulebook says: `templates/paper.toml`."""

import tomllib
from functools import cache
from pathlib import Path

from pydantic import Field

from schemas.base import FrozenModel, Many, Name


class HeadingFact(FrozenModel):
    """A question whose answer is in the heading, and the phrase of its unit."""

    question: Name
    unit: Name


class PlainSheetRule(FrozenModel):
    """The phrase that a plain sheet begins with if the question has this answer."""

    question: Name
    answer: bool | Name
    phrase: Name


class EffortRule(FrozenModel):
    """An answer, or a marked option, by which an effort makes the person ill."""

    question: Name
    answer: bool | Name


class PaperSettings(FrozenModel):
    """The content of `templates/paper.toml`."""

    private_questions: Many[Name]
    withheld_limitations: Many[int]
    fact: Many[HeadingFact] = Field(min_length=1)
    plain_sheet: Many[PlainSheetRule] = Field(min_length=1)
    effort: Many[EffortRule] = Field(min_length=1)


@cache
def load_paper_settings() -> PaperSettings:
    """Load the settings."""
    file = Path(__file__).parents[1] / "templates" / "paper.toml"
    return PaperSettings.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
