"""The one rule for what a text may contain, for every entrance, and its exception for stored texts.

Forbidden are control characters (except tab, newline and carriage return), bidirectional overrides
and isolates, lone surrogates and non-characters. Zero-width and combining characters are legitimate
in people's names and are accepted. The rule is for what comes in: what was stored under other rules
stays readable, mergeable and erasable.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pydantic import ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticKnownError

CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
OVERRIDE = "\u202a-\u202e\u2066-\u2069"
NON_CHARACTER = "\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF)
)
READABLE_TEXT = f"^[^{CONTROL}{OVERRIDE}{NON_CHARACTER}]*$"
"""The rule as a pattern for texts that cannot have surrogates, as those of Polars."""

READABLE = (
    r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
    r"\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]*$"
)
"""The rule as far as every dialect of JSON Schema can express it, for published schemas."""

FORBIDDEN = re.compile(f"[{CONTROL}{OVERRIDE}{NON_CHARACTER}\ud800-\udfff]")
_IS_STORED: ContextVar[bool] = ContextVar("is_stored", default=False)


@contextmanager
def accept_stored_text() -> Iterator[None]:
    """Accept texts that break the rules for new input. Only around the reading of stored rows."""
    token = _IS_STORED.set(True)
    try:
        yield
    finally:
        _IS_STORED.reset(token)


def is_readable(text: str) -> bool:
    """Return whether a text keeps the rule."""
    return text.isprintable() or FORBIDDEN.search(text) is None


def _apply_rule(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    if _IS_STORED.get() and isinstance(value, str):
        return value
    text = validate(value)
    if not is_readable(text):
        raise PydanticKnownError("string_pattern_mismatch", {"pattern": READABLE})
    return text


def _apply_type(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    if _IS_STORED.get() and isinstance(value, str | int):
        return value
    return validate(value)


STORED_UNCHECKED = WrapValidator(_apply_type)
"""The last annotation of a text or integer with a stricter rule: stored ones stay readable."""
TEXT_RULE = WrapValidator(_apply_rule)
"""The last annotation of a type of text: no other rule of the type holds for a stored text."""
