"""The scopes of the API, and their canonical order."""

from collections.abc import Iterable

SCOPES = (
    "score",
    "screenings:read",
    "screenings:write",
    "reports:read",
    "deliveries:read",
    "deliveries:write",
    "batches",
    "rulebooks:write",
    "audit:read",
    "admin",
)


def sort_known_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes without duplicates, in the order of `SCOPES`. Raises ValueError."""
    requested = set(scopes)
    if not requested.issubset(SCOPES):
        raise ValueError("expected scopes out of: " + ", ".join(SCOPES))
    return tuple(scope for scope in SCOPES if scope in requested)
