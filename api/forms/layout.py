"""Load the form layout of an instrument, which is data beside its rulebook."""

import tomllib
from functools import cache
from pathlib import Path

from pydantic import Field

from schemas.base import FrozenModel, Many, Name, Text
from schemas.links import Language

LAYOUT_FOLDER = Path(__file__).parent / "layouts"
TextByLanguage = dict[Language, Text]


class FormLayout(FrozenModel):
    """The content of `layouts/<instrument>.toml`; the defaults apply if there is no file."""

    first_topics: Many[Name] = ()
    for_clinician: Many[Name] = ()
    adversity: Many[Name] = ()
    may_stay_open: Many[Name] = ()
    may_be_unsure: Many[Name] = ()
    confidential: Many[Name] = ()
    body_map: Name | None = None
    advice: dict[Name, Name] = Field(default_factory=dict)
    advice_by_tier: dict[Name, Name] = Field(default_factory=dict)
    intro: dict[Name, TextByLanguage] = Field(default_factory=dict)
    heading: dict[Name, TextByLanguage] = Field(default_factory=dict)
    help: dict[Name, TextByLanguage] = Field(default_factory=dict)


@cache
def load_layout(instrument: str) -> FormLayout:
    """Return the layout of an instrument."""
    file = LAYOUT_FOLDER / f"{instrument}.toml"
    if not file.exists():
        return FormLayout()
    return FormLayout.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
