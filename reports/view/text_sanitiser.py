"""Words: texts of others as they are printed, without what cannot be seen."""

import re
import unicodedata

_KEPT = "\n\t"


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


def shortened(text: str, most: int) -> str:
    """The text, cut with an ellipsis where it is longer."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def typeset(sentence: str) -> str:
    """The sentence with true minus and multiplication signs."""
    return _TIMES.sub("\N{MULTIPLICATION SIGN}", _MINUS.sub("\N{MINUS SIGN}", sentence))


_MINUS = re.compile(r"(?<![\w.,-])-(?=\d)")
_TIMES = re.compile(r"\bx(?=\d)")


def _printed(character: str) -> bool:
    return unicodedata.category(character) not in _UNPRINTED or character in _JOINERS


_JOINERS = "\u200c\u200d"
_UNPRINTED = {"Cc", "Cf", "Cs", "Co", "Cn"}
