"""Builds segments and escaped fields."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import date, datetime

ENCODING_CHARACTERS = "^~\\&"
_ESCAPES = {
    "\\": "\\E\\",
    "|": "\\F\\",
    "^": "\\S\\",
    "&": "\\T\\",
    "~": "\\R\\",
    "\n": "\\.br\\",
    "\r": "\\.br\\",
    "\t": "\\X09\\",
}


def escape_text(text: str) -> str:
    """Escape a text for use in a field; line ends become `.br`."""
    text = text.replace("\r\n", "\n")
    return "".join(_ESCAPES.get(character, character) for character in text)


def join_components(*components: str) -> str:
    """Join components into a field, escaped and without trailing empty ones."""
    return "^".join(map(escape_text, components)).rstrip("^")


def build_segment(name: str, fields: Mapping[int, str]) -> str:
    """Build a segment from escaped fields by number. MSH-1 is the field separator itself."""
    first_number = 2 if name == "MSH" else 1
    return "|".join(
        [
            name,
            *(fields.get(number, "") for number in range(first_number, max(fields, default=0) + 1)),
        ]
    )


def format_timestamp(at: datetime) -> str:
    """Format an aware time as TS, to the second with its offset."""
    return at.strftime("%Y%m%d%H%M%S%z")


def format_date(on: date) -> str:
    """Format a date as DT."""
    return on.strftime("%Y%m%d")


def derive_identifier(text: str, length: int) -> str:
    """Derive a short identifier from a long one: base 32 of its SHA-256."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:length]
