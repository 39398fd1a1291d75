"""Names of character sets in MSH-18: those of table 0211, and what senders write instead."""

import re
from collections.abc import Mapping

CODECS: Mapping[str, str] = {
    "": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "8859/1": "latin-1",
    "ASCII": "ascii",
}
"""The character sets of messages that the service sends."""

_NAMES = {
    "ASCII": "ascii",
    "USASCII": "ascii",
    "ISOIR6": "ascii",
    "UNICODE": "utf-8",
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
    "ANSI": "cp1252",
    "LATIN1": "latin-1",
}
_ISO_8859 = re.compile(r"(?:ISO)?8859(1[0-6]|[1-9])")
_NO_SUCH_PART = "12"


def find_codec(name: str) -> str | None:
    """Return the Python codec of a character set, however its name is spelled; None if unknown."""
    plain = re.sub(r"[^A-Z0-9]", "", name.upper())
    if not name.strip():
        return "utf-8"
    match = _ISO_8859.fullmatch(plain)
    if match and match[1] != _NO_SUCH_PART:
        return f"iso8859-{match[1]}"
    return _NAMES.get(plain)
