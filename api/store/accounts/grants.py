"""Grants: an actor may give others only the scopes that it has, and no limit above its own."""

from collections.abc import Iterable

from api.store.errors import GrantError
from api.store.transaction import Transaction


def require_held_scopes(
    work: Transaction, scopes: Iterable[str], current: Iterable[str] = ()
) -> None:
    """Raise GrantError if the actor lacks a scope that is not among the current ones."""
    if not set(scopes) - set(current) <= work.actor.authority.scopes:
        raise GrantError("You can give only scopes that you have yourself.", "scopes")


def require_held_limit(work: Transaction, limit: int | None, current: int | None = None) -> None:
    """Raise GrantError for a limit above the actor's own; None is the limit by default."""
    authority = work.actor.authority
    default = authority.default_requests_per_minute
    if (limit or default) > max(authority.requests_per_minute, current or 0):
        detail = f"Your own limit is {authority.requests_per_minute} requests in a minute."
        raise GrantError(detail, "requests_per_minute")
