"""Writes CSV in which a spreadsheet finds no formula, however it cuts the lines into cells.

A spreadsheet may cut at semicolons where we wrote commas. So what follows a separator inside a text
counts as the beginning of a cell too, as does what follows blanks and characters without a width.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence

_SEPARATORS = r",;|\t\n\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029"
_IGNORED = (
    r"[\s\x00-\x20\x22\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0]*"
)
_SIGNS = r"=+\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
FORMULA = rf"(?:^|[{_SEPARATORS}]){_IGNORED}[{_SIGNS}]|^[\t\r\n]"
"""Finds every text to escape, and some numbers. Means the same to Python and to Polars."""

_SEPARATOR = re.compile(f"([{_SEPARATORS}])")
_START = re.compile(rf"{_IGNORED}[{_SIGNS}]")
_NUMBER = re.compile(r"\s*[+-]?[0-9]+(?:[.,][0-9]+)?\s*")
_FORMULA = re.compile(FORMULA)


def escape_formula(text: str) -> str:
    """Put an apostrophe before each part of a text that a spreadsheet would run.

    Numbers such as -1.5 are not formulas.
    """
    if not _FORMULA.search(text) or _NUMBER.fullmatch(text):
        return text
    parts = _SEPARATOR.split(text)
    escaped = "".join(f"'{part}" if _is_formula(part) else part for part in parts)
    return f"'{escaped}" if escaped.startswith(("\t", "\r", "\n")) else escaped


def _is_formula(part: str) -> bool:
    return _START.match(part) is not None and _NUMBER.fullmatch(part) is None


def encode_rows(rows: Iterable[Sequence[str]], line_end: str = "\r\n") -> bytes:
    """Encode rows of texts and numbers as CSV in UTF-8."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator=line_end)
    writer.writerows(map(escape_formula, row) for row in rows)
    return buffer.getvalue().encode("utf-8", "replace")
