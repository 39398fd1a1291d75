"""Load the form layout of a rulebook, which is a data file of its own."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from schemas.base import FrozenModel, Many, Name, Text
from schemas.patients.links import Language
from schemas.rulebooks.rulebook_name import RulebookName

LAYOUT_FOLDER = Path(__file__).parent / "layouts"
TextByLanguage = dict[Language, Text]
_TwoTexts = Annotated[tuple[Text, Text], Field(strict=False)]


class PageLayout(FrozenModel):
    """One page for patients. Without `heading` or `intro` it has those of the topic `topic`."""

    questions: Many[Name]
    topic: Name | None = None
    heading: TextByLanguage = Field(default_factory=dict)
    intro: TextByLanguage = Field(default_factory=dict)


class OptionGroup(FrozenModel):
    """Options of a long list under one heading; `folded` ones are behind the heading."""

    question: Name
    options: Many[Name]
    label: TextByLanguage
    folded: bool = False
    pairs: bool = False


class FormLayout(FrozenModel):
    """The content of `layouts/<instrument>-<version>.toml`, or of `layouts/<instrument>.toml`.

    The defaults apply if there is no file.
    """

    page: Many[PageLayout] = ()
    offer_after: Name | None = None
    option_group: Many[OptionGroup] = ()
    out_of_scope: Many[Name] = ()
    age: Name | None = None
    within_age: Name | None = None
    first_topics: Many[Name] = ()
    with_core: Many[Name] = ()
    for_clinician: Many[Name] = ()
    adversity: Many[Name] = ()
    may_stay_open: Many[Name] = ()
    may_be_unsure: Many[Name] = ()
    confidential: Many[Name] = ()
    body_map: Name | None = None
    duration: Name | None = None
    duration_units: dict[Language, _TwoTexts] = Field(default_factory=dict)
    advice: dict[Name, Name] = Field(default_factory=dict)
    advice_by_tier: dict[Name, Name] = Field(default_factory=dict)
    intro: dict[Name, TextByLanguage] = Field(default_factory=dict)
    heading: dict[Name, TextByLanguage] = Field(default_factory=dict)
    text: dict[Name, TextByLanguage] = Field(default_factory=dict)
    help: dict[Name, TextByLanguage] = Field(default_factory=dict)
    without_help: Many[Name] = ()
    label: dict[Name, dict[Name, TextByLanguage]] = Field(default_factory=dict)


@cache
def load_layout(rulebook: str) -> FormLayout:
    """Return the layout of a rulebook `instrument@version`."""
    name = RulebookName.parse(rulebook)
    for stem in (f"{name.instrument}-{name.version}", name.instrument):
        file = LAYOUT_FOLDER / f"{stem}.toml"
        if file.exists():
            return FormLayout.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    return FormLayout()
