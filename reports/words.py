"""Words: numbers, days and texts as they are printed."""

import re
import unicodedata
from datetime import date
from decimal import Decimal

from schemas.base import plain_number

MINUS = "\N{MINUS SIGN}"
_KEPT = "\n\t"


def number(points: Decimal) -> str:
    """Exact points without trailing zeros, with a true minus."""
    return str(plain_number(points)).replace("-", MINUS)


def signed(points: Decimal) -> str:
    """The same with a plus before what is above zero."""
    return f"+{number(points)}" if points > 0 else number(points)


def percent(share: Decimal) -> str:
    """A share of one as a whole percentage."""
    return f"{plain_number(share * 100)} %"


def day(given: date | None) -> str | None:
    """A day as 20 November 2026, the same in every locale."""
    return None if given is None else f"{given.day} {_MONTHS[given.month - 1]} {given.year}"


def clean(text: str | None) -> str | None:
    """The text without what is not seen: controls, tags, overrides of direction.

    Lines and tabs stay, and the joiners that some scripts are written with.
    """
    if text is None:
        return None
    return "".join(each for each in text if each in _KEPT or _printed(each)).strip() or None


def one_line(text: str | None) -> str | None:
    """The text on one line."""
    cleaned = clean(text)
    return None if cleaned is None else re.sub(r"\s+", " ", cleaned)


def _printed(character: str) -> bool:
    return unicodedata.category(character) not in _UNPRINTED or character in _JOINERS


_JOINERS = "\u200c\u200d"
_UNPRINTED = {"Cc", "Cf", "Cs", "Co", "Cn"}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
