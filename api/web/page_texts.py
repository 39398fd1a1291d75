"""Wording: what pages say in one language beside what the rulebook says, as data."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from schemas.base import Frozen, Name, Text

LOCALES = Path(__file__).parent / "locales"


class PageWording(Frozen):
    """`locales/<language>.toml`."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]
    name: Text
    words: dict[Name, Text]

    def say(self, phrase: str, **places: object) -> str:
        """The phrase with its places filled. Raises KeyError for one that is not there."""
        return self.words[phrase].format(**places)


@cache
def wording(language: str) -> PageWording:
    """The wording of a language that there is: what patients read, and what practitioners read."""
    held, more = (
        tomllib.loads(file.read_text(encoding="utf-8"))
        for file in (LOCALES / f"{language}.toml", LOCALES / "desk" / f"{language}.toml")
    )
    return PageWording.model_validate(held | {"words": held["words"] | more["words"]})


@cache
def languages() -> tuple[str, ...]:
    """The languages of pages, English first."""
    found = sorted(each.stem for each in LOCALES.glob("*.toml"))
    return ("en", *(each for each in found if each != "en"))
