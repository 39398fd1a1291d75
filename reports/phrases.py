"""Load the phrases of reports in one language; format numbers, dates and times in it."""

import tomllib
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import FrozenModel, Many, Name, Text, to_json_number

LOCALE_FOLDER = Path(__file__).parent / "locales"
MINUS = "\N{MINUS SIGN}"


class Phrases(FrozenModel):
    """The content of `locales/<language>.toml`: all texts of reports that are in no rulebook."""

    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]
    name: Text
    not_validated: Text | None = None
    decimal_mark: Literal[".", ","]
    lowercase_labels: bool
    percent: Text
    day: Text
    moment: Text
    months: Many[Text] = Field(min_length=12, max_length=12)
    words: dict[Name, Text]

    def say(self, phrase: str, **values: str) -> str:
        """Return the phrase with its placeholders filled. Raises KeyError for an unknown phrase."""
        return self.words[phrase].format(**values)

    def lower_initial(self, label: str) -> str:
        """Return the label for use inside a sentence, uncapitalised if the language does that."""
        if not self.lowercase_labels or label[1:2].isupper():
            return label
        return label[:1].lower() + label[1:]

    def format_number(self, points: Decimal | int) -> str:
        """Format exact points without trailing zeros, with a typographic minus."""
        plain = str(to_json_number(Decimal(points))).replace("-", MINUS)
        return plain.replace(".", self.decimal_mark)

    def format_signed(self, points: Decimal) -> str:
        """Format points with a plus sign if they are above zero."""
        return f"+{self.format_number(points)}" if points > 0 else self.format_number(points)

    def format_percent(self, fraction: Decimal) -> str:
        """Format a fraction from 0 to 1 as a percentage."""
        return self.percent.format(number=self.format_number(fraction * 100))

    def format_date(self, on: date | None) -> str | None:
        """Format a date with the name of its month."""
        if on is None:
            return None
        month = self.months[on.month - 1]
        return self.day.format(day=on.day, month=month, year=on.year)

    def format_datetime(self, moment: datetime | None) -> str | None:
        """Format a date and time with the name of its time zone."""
        if moment is None:
            return None
        day, zone = self.format_date(moment), str(moment.tzinfo)
        return self.moment.format(day=day, hour=moment.hour, minute=moment.minute, zone=zone)


@cache
def load_phrases(language: str = "en") -> Phrases:
    """Return the phrases of a language. Raises KeyError if there is none."""
    if language not in list_languages():
        raise KeyError(language)
    text = (LOCALE_FOLDER / f"{language}.toml").read_text(encoding="utf-8")
    return Phrases.model_validate(tomllib.loads(text))


@cache
def list_languages() -> tuple[str, ...]:
    """Return the codes of the languages that reports come in, English first."""
    codes = {file.stem for file in LOCALE_FOLDER.glob("*.toml")}
    return ("en", *sorted(codes - {"en"}))
