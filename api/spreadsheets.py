"""Escapes text that a spreadsheet would run as a formula."""

import re

_SPACE = r"[\s\x1c-\x1f]*"
FORMULA = rf"^(?:{_SPACE}[=+\-@＝＋－＠]|[\t\r\n])"  # noqa: RUF001 - spreadsheets read the wide forms too
NUMBER = rf"^{_SPACE}[+-]?[0-9]+(?:[.,][0-9]+)?{_SPACE}$"
"""Numbers such as -1.5 are not formulas. Both patterns mean the same to Python and to Polars."""


def escape_formula(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run."""
    is_formula = re.search(FORMULA, text) and not re.search(NUMBER, text)
    return f"'{text}" if is_formula else text
