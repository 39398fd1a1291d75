"""Wrapping: every key in the database wrapped anew, once another key of the ring stands first."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.database.tables import OrganisationKeyRow, SigningKeyRow
from api.store.key_ring import KeyRing
from api.store.keys import organisation_keys, signing_keys


class _Wrapped(NamedTuple):
    """A table of wrapped keys, the column that holds them, and what each is bound to."""

    table: Any
    column: str
    about: Callable[[Any], str]


_WRAPPED = (
    _Wrapped(OrganisationKeyRow, "wrapped", organisation_keys.about),
    _Wrapped(SigningKeyRow, "sealed", lambda row: signing_keys.about(row.kid)),
)


def wrap_anew(session: Session, ring: KeyRing) -> int:
    """Wrap every key by the current key of the ring; how many were not yet.

    Raises KeyRingError where the ring lacks a key that wraps one.
    """
    count = sum(1 for each in _WRAPPED for _ in _wrapped_anew(session, ring, each))
    session.flush()
    return count


def _wrapped_anew(session: Session, ring: KeyRing, kept: _Wrapped) -> Iterator[Any]:
    rows = session.execute(
        select(kept.table).where(col(kept.table.ring_key_id) != ring.current)
    ).scalars()
    for row in rows:
        about = kept.about(row)
        secret = ring.unwrap(row.ring_key_id, getattr(row, kept.column), about)
        row.ring_key_id, wrapped = ring.wrap(secret, about)
        setattr(row, kept.column, wrapped)
        yield row
