"""Clean texts from outside before they are printed: remove invisible characters."""

import re
import unicodedata


def clean_text(text: str | None) -> str | None:
    """Return the text without controls, tags and overrides of direction; None if nothing is left.

    Line feeds, tabs and the joiners that some scripts need are kept.
    """
    if text is None:
        return None
    return "".join(filter(_is_allowed, text)).strip() or None


def clean_line(text: str | None) -> str | None:
    """Return the cleaned text on one line."""
    cleaned = clean_text(text)
    return None if cleaned is None else re.sub(r"\s+", " ", cleaned)


def truncate(text: str, max_length: int) -> str:
    """Return the text, cut with an ellipsis if it is too long."""
    return (
        text
        if len(text) <= max_length
        else text[: max_length - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
    )


def typeset_signs(sentence: str) -> str:
    """Return the sentence with typographic minus and multiplication signs."""
    return _TIMES.sub("\N{MULTIPLICATION SIGN}", _MINUS.sub("\N{MINUS SIGN}", sentence))


_MINUS = re.compile(r"(?<![\w.,-])-(?=\d)")
_TIMES = re.compile(r"\bx(?=\d)")


def _is_allowed(character: str) -> bool:
    return character in _EXCEPTIONS or unicodedata.category(character) not in _INVISIBLE


_EXCEPTIONS = "\n\t\u200c\u200d"
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
