"""Load the form layout of an instrument, which is data beside its rulebook."""

import tomllib
from functools import cache
from pathlib import Path

from pydantic import Field

from schemas.base import Frozen, Many, Name, Text
from schemas.links import Language

LAYOUTS = Path(__file__).parent / "layouts"
ByLanguage = dict[Language, Text]


class Layout(Frozen):
    """The content of `layouts/<instrument>.toml`; the defaults apply if there is no file."""

    first: Many[Name] = ()
    for_clinician: Many[Name] = ()
    adversity: Many[Name] = ()
    may_be_left: Many[Name] = ()
    may_be_unsure: Many[Name] = ()
    unspoken: Many[Name] = ()
    body_map: Name | None = None
    advice: dict[Name, Name] = Field(default_factory=dict)
    advice_by_tier: dict[Name, Name] = Field(default_factory=dict)
    intro: dict[Name, ByLanguage] = Field(default_factory=dict)
    heading: dict[Name, ByLanguage] = Field(default_factory=dict)
    help: dict[Name, ByLanguage] = Field(default_factory=dict)


@cache
def layout_of(instrument: str) -> Layout:
    """Return the layout of an instrument."""
    file = LAYOUTS / f"{instrument}.toml"
    if not file.exists():
        return Layout()
    return Layout.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
