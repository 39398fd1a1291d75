"""Reads what a caller prefers to be returned (RFC 7240)."""

import re

MINIMAL = "minimal"
PREFERENCE_APPLIED = "Preference-Applied"
_RETURN = re.compile(
    r'(?:^|[,;\s])(?i:return)\s*=\s*"?(minimal|representation|OperationOutcome)(?=$|[",;\s])'
)


def read_return_preference(prefer: str | None) -> str | None:
    """Return the value of the preference `return`; None without one, and for any other value."""
    preference = _RETURN.search(prefer or "")
    return preference[1] if preference else None
