"""The scopes of the API, and their canonical order."""

from collections.abc import Iterable

ADMIN_SCOPES = ("organisation:admin", "clients:admin", "patients:admin", "destinations:admin")
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
    *ADMIN_SCOPES,
)
OLD_ADMIN_SCOPE = "admin"
"""The scope of earlier releases that stands for all of `ADMIN_SCOPES`."""


def expand_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes with `admin` replaced by the scopes that it stands for."""
    return tuple(
        part
        for scope in scopes
        for part in (ADMIN_SCOPES if scope == OLD_ADMIN_SCOPE else (scope,))
    )


def sort_known_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes without duplicates, in the order of `SCOPES`. Raises ValueError."""
    requested = set(expand_scopes(scopes))
    if not requested.issubset(SCOPES):
        raise ValueError("must be one of " + ", ".join(SCOPES))
    return tuple(scope for scope in SCOPES if scope in requested)
