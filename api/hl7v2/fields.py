"""Fields: words to the text of a segment, each escaped, so that no word can end its field."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import date, datetime

ENCODING = "^~\\&"
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


def escaped(text: str) -> str:
    """The text as it stands inside a field; line ends become `.br`."""
    text = text.replace("\r\n", "\n")
    return "".join(_ESCAPES.get(each, each) for each in text)


def composed(*components: str) -> str:
    """A field of several components; empty ones at its end are left out."""
    return "^".join(map(escaped, components)).rstrip("^")


def segment(name: str, fields: Mapping[int, str]) -> str:
    """A segment of fields by their number, each escaped already. MSH-1 is the separator itself."""
    first = 2 if name == "MSH" else 1
    return "|".join([name, *(fields.get(n, "") for n in range(first, max(fields, default=0) + 1))])


def instant(at: datetime) -> str:
    """A moment with its zone, to the second."""
    return at.strftime("%Y%m%d%H%M%S%z")


def day(on: date) -> str:
    """A day."""
    return on.strftime("%Y%m%d")


def number_of(text: str, length: int) -> str:
    """A short number that stands for a long id: 5 bits of its SHA-256 a character."""
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:length]
