"""Loads the texts of a cohort in one language, and formats numbers in it."""

import tomllib
from functools import cache
from pathlib import Path

from schemas.base import FrozenModel, Name, Text

LOCALES = Path(__file__).parent / "locales"
DEFAULT_LANGUAGE = "en"


class CohortTexts(FrozenModel):
    """The content of `locales/<language>.toml`: titles of tables, labels by column, and phrases."""

    language: str
    thousands: str
    decimal: str
    titles: dict[Name, Text]
    labels: dict[Name, dict[Name, Text]]
    words: dict[Name, Text]

    def say(self, phrase: str, **values: object) -> str:
        """Return a phrase with its placeholders filled; whole numbers with their marks."""
        texts = {
            name: self.format_count(value) if isinstance(value, int) else value
            for name, value in values.items()
        }
        return self.words[phrase].format(**texts)

    def format_count(self, count: int) -> str:
        """Return a whole number with marks between thousands."""
        return f"{count:,}".replace(",", self.thousands)

    def format_score(self, score: float) -> str:
        """Return a number with one decimal."""
        return f"{score:.1f}".replace("-", "\N{MINUS SIGN}").replace(".", self.decimal)


@cache
def list_cohort_languages() -> tuple[str, ...]:
    """Return the languages that cohorts are written in, English first."""
    codes = {file.stem for file in LOCALES.glob("*.toml")}
    return (DEFAULT_LANGUAGE, *sorted(codes - {DEFAULT_LANGUAGE}))


@cache
def load_cohort_texts(language: str) -> CohortTexts:
    """Return the texts of a language."""
    text = (LOCALES / f"{language}.toml").read_text(encoding="utf-8")
    return CohortTexts.model_validate(tomllib.loads(text))
