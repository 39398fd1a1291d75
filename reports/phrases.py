"""Load the phrases of reports in one language; format numbers, dates and times in it."""

import tomllib
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import FrozenModel, Many, Name, Text, to_json_number

LOCALES = Path(__file__).parent / "locales"
MINUS = "\N{MINUS SIGN}"


class Wording(FrozenModel):
    """The content of `locales/<language>.toml`: every text of a report that no rulebook holds."""

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

    def say(self, phrase: str, **values: str) -> str:
        """Return the phrase with its placeholders filled. Raises KeyError for an unknown phrase."""
        return self.words[phrase].format(**values)

    def lowered(self, label: str) -> str:
        """Return the label for use inside a sentence, uncapitalised if the language does that."""
        if not self.lowers or label[1:2].isupper():
            return label
        return label[:1].lower() + label[1:]

    def number(self, points: Decimal | int) -> str:
        """Format exact points without trailing zeros, with a typographic minus."""
        plain = str(to_json_number(Decimal(points))).replace("-", MINUS)
        return plain.replace(".", self.decimal)

    def signed(self, points: Decimal) -> str:
        """Format points with a plus sign if they are above zero."""
        return f"+{self.number(points)}" if points > 0 else self.number(points)

    def share(self, fraction: Decimal) -> str:
        """Format a fraction from 0 to 1 as a percentage."""
        return self.percent.format(number=self.number(fraction * 100))

    def written(self, on: date | None) -> str | None:
        """Format a date with the name of its month."""
        if on is None:
            return None
        month = self.months[on.month - 1]
        return self.day.format(day=on.day, month=month, year=on.year)

    def at(self, moment: datetime | None) -> str | None:
        """Format a date and time with the name of its time zone."""
        if moment is None:
            return None
        day, zone = self.written(moment), str(moment.tzinfo)
        return self.moment.format(day=day, hour=moment.hour, minute=moment.minute, zone=zone)


@cache
def wording(language: str = "en") -> Wording:
    """Return the wording of a language. Raises KeyError if there is none."""
    if language not in languages():
        raise KeyError(language)
    text = (LOCALES / f"{language}.toml").read_text(encoding="utf-8")
    return Wording.model_validate(tomllib.loads(text))


@cache
def languages() -> tuple[str, ...]:
    """Return the codes of the languages that reports come in, English first."""
    codes = {file.stem for file in LOCALES.glob("*.toml")}
    return ("en", *sorted(codes - {"en"}))
