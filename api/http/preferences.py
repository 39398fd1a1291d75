"""Reads what a caller prefers to be returned (RFC 7240)."""

import re

MINIMAL = "minimal"
PREFERENCE_APPLIED = "Preference-Applied"
_RETURN = re.compile(
    r'(?:^|[,;\s])(?i:return)\s*=\s*"?(minimal|representation|OperationOutcome)(?=$|[",;\s])'
)
_LENIENT = re.compile(r"\bhandling\s*=\s*\"?lenient\b")


def read_return_preference(prefer: str | None) -> str | None:
    """Return the value of the preference `return`; None without one, and for any other value."""
    preference = _RETURN.search(prefer or "")
    return preference[1] if preference else None


def prefers_lenient_handling(prefer: str | None) -> bool:
    """Return whether what is not supported may be passed over."""
    return _LENIENT.search(prefer or "") is not None
