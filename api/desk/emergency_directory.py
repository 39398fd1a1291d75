"""Numbers to call by country, read from TOML: suggestions that a practice must confirm."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from schemas.base import FrozenModel, Many
from schemas.organisations.form_settings import EmergencyNumber, PhoneNumber

DIRECTORY = Path(__file__).with_suffix(".toml")


class SourcedNumber(FrozenModel):
    """A number with the page on which it was found."""

    number: PhoneNumber
    source: Annotated[str, Field(pattern=r"^https://[^\s]+$")]


class Country(FrozenModel):
    """The numbers of a country; None where none could be verified."""

    code: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    names: dict[str, str]
    emergency: SourcedNumber
    crisis: SourcedNumber | None = None
    violence: SourcedNumber | None = None

    def suggest_numbers(self) -> list[EmergencyNumber]:
        """Return the numbers as the settings of the forms keep them, without labels."""
        numbers = [EmergencyNumber(number=self.emergency.number)]
        if self.crisis:
            numbers.append(EmergencyNumber(number=self.crisis.number, crisis=True))
        if self.violence:
            numbers.append(EmergencyNumber(number=self.violence.number, violence=True))
        return numbers

    def list_sources(self) -> list[SourcedNumber]:
        """Return the numbers that are suggested, each with its source."""
        return [entry for entry in (self.emergency, self.crisis, self.violence) if entry]


class _Directory(FrozenModel):
    country: Many[Country]


@cache
def load_countries() -> dict[str, Country]:
    """Return the countries by code."""
    text = DIRECTORY.read_text(encoding="utf-8")
    directory = _Directory.model_validate(tomllib.loads(text))
    return {country.code: country for country in directory.country}


def list_country_names(language: str) -> list[tuple[str, str]]:
    """Return code and name of each country, by name in this language."""
    names = [(code, country.names[language]) for code, country in load_countries().items()]
    return sorted(names, key=lambda pair: pair[1])
