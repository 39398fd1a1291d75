"""The name of one version of an instrument: `instrument@version`."""

from typing import NamedTuple


class RulebookName(NamedTuple):
    """The two parts of a rulebook's name."""

    instrument: str
    version: str

    @classmethod
    def parse(cls, text: str) -> "RulebookName":
        """Split the name; the version of an instrument's name alone is empty."""
        instrument, _, version = text.partition("@")
        return cls(instrument, version)

    def __str__(self) -> str:
        return f"{self.instrument}@{self.version}"

    @property
    def version_numbers(self) -> tuple[int, ...]:
        """The version as numbers, which sort as versions do."""
        return tuple(map(int, self.version.split(".")))
