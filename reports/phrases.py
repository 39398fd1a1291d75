"""Wording: the words of reports in one language, as data; how it writes numbers and days."""

import tomllib
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Frozen, Many, Name, Text, plain_number

LOCALES = Path(__file__).parent / "locales"
MINUS = "\N{MINUS SIGN}"


class Wording(Frozen):
    """`locales/<language>.toml`: everything that a report says beside what the rulebook says."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]
    name: Text
    not_validated: Text | None = None
    decimal: Literal[".", ","]
    lowers: bool
    percent: Text
    day: Text
    moment: Text
    months: Many[Text] = Field(min_length=12, max_length=12)
    words: dict[Name, Text]

    def say(self, phrase: str, **places: str) -> str:
        """The phrase with its places filled. Raises KeyError for one that is not there."""
        return self.words[phrase].format(**places)

    def lowered(self, label: str) -> str:
        """The label inside a sentence: where the language has it so, without its capital."""
        if not self.lowers or label[1:2].isupper():
            return label
        return label[:1].lower() + label[1:]

    def number(self, points: Decimal | int) -> str:
        """Exact points without trailing zeros, with a true minus."""
        plain = str(plain_number(Decimal(points))).replace("-", MINUS)
        return plain.replace(".", self.decimal)

    def signed(self, points: Decimal) -> str:
        """The same with a plus before what is above zero."""
        return f"+{self.number(points)}" if points > 0 else self.number(points)

    def share(self, of_one: Decimal) -> str:
        """A share of one as a percentage."""
        return self.percent.format(number=self.number(of_one * 100))

    def written(self, given: date | None) -> str | None:
        """A day with its month written out."""
        if given is None:
            return None
        month = self.months[given.month - 1]
        return self.day.format(day=given.day, month=month, year=given.year)

    def at(self, given: datetime | None) -> str | None:
        """A day and the time of it, by the clock and with the name of its zone."""
        if given is None:
            return None
        day, zone = self.written(given), str(given.tzinfo)
        return self.moment.format(day=day, hour=given.hour, minute=given.minute, zone=zone)


@cache
def wording(language: str = "en") -> Wording:
    """The wording of a language. Raises KeyError where there is none."""
    if language not in languages():
        raise KeyError(language)
    text = (LOCALES / f"{language}.toml").read_text(encoding="utf-8")
    return Wording.model_validate(tomllib.loads(text))


@cache
def languages() -> tuple[str, ...]:
    """The languages that reports are written in, English first."""
    found = sorted(each.stem for each in LOCALES.glob("*.toml"))
    return ("en", *(each for each in found if each != "en"))
