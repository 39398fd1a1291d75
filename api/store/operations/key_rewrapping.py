"""Key rewrapping: wraps every key in the database again after the key ring was rotated."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.database.tables import OrganisationKeyRow, SigningKeyRow
from api.store.key_ring import KeyRing
from api.store.keys import organisation_keys, signing_keys


def rewrap_keys(session: Session, ring: KeyRing) -> int:
    """Wrap every key with the current one of the ring; return the count. Raises KeyRingError."""
    organisation_key_count = _rewrap_column(
        session, ring, col(OrganisationKeyRow.wrapped), organisation_keys.build_associated_data
    )
    signing_key_count = _rewrap_column(
        session,
        ring,
        col(SigningKeyRow.sealed),
        lambda row: signing_keys.build_associated_data(row.kid),
    )
    session.flush()
    return organisation_key_count + signing_key_count


def _rewrap_column(
    session: Session, ring: KeyRing, column: Any, build_associated_data: Callable[[Any], str]
) -> int:
    is_outdated = column.class_.ring_key_id != ring.current_key_id
    rows = session.execute(select(column.class_).where(is_outdated)).scalars().all()
    for row in rows:
        associated_data = build_associated_data(row)
        secret = ring.unwrap(row.ring_key_id, getattr(row, column.key), associated_data)
        row.ring_key_id, ciphertext = ring.wrap(secret, associated_data)
        setattr(row, column.key, ciphertext)
    return len(rows)
