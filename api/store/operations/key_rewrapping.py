"""Key rewrapping: wraps every key in the database again after the key ring was rotated."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.database.tables import OrganisationKeyRow, SigningKeyRow
from api.store.key_ring import KeyRing
from api.store.keys import organisation_keys, signing_keys


class _WrappedColumn(NamedTuple):
    """A table of wrapped keys, their column, and the associated data of a row."""

    table: Any
    column: str
    associated_data: Callable[[Any], str]


_WRAPPED_COLUMNS = (
    _WrappedColumn(OrganisationKeyRow, "wrapped", organisation_keys.build_associated_data),
    _WrappedColumn(
        SigningKeyRow, "sealed", lambda row: signing_keys.build_associated_data(row.kid)
    ),
)


def rewrap_keys(session: Session, ring: KeyRing) -> int:
    """Wrap every key with the current key of the ring; return how many changed.

    Raises KeyRingError if the ring lacks a key that wraps one.
    """
    count = sum(_rewrap_column(session, ring, column) for column in _WRAPPED_COLUMNS)
    session.flush()
    return count


def _rewrap_column(session: Session, ring: KeyRing, wrapped: _WrappedColumn) -> int:
    rows = (
        session.execute(
            select(wrapped.table).where(col(wrapped.table.ring_key_id) != ring.current_key_id)
        )
        .scalars()
        .all()
    )
    for row in rows:
        associated_data = wrapped.associated_data(row)
        secret = ring.unwrap(row.ring_key_id, getattr(row, wrapped.column), associated_data)
        row.ring_key_id, ciphertext = ring.wrap(secret, associated_data)
        setattr(row, wrapped.column, ciphertext)
    return len(rows)
