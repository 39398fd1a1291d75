"""Scopes: the permissions there are, and what was asked for in their order."""

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


def known(scopes: Iterable[str]) -> tuple[str, ...]:
    """These scopes, each once, in the order of `SCOPES`. ValueError where there is another."""
    asked = set(scopes)
    if not asked.issubset(SCOPES):
        raise ValueError("expected scopes out of: " + ", ".join(SCOPES))
    return tuple(scope for scope in SCOPES if scope in asked)
