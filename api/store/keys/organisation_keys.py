"""The keys of each organisation, unwrapped once and cached until they change."""

import os
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.security.aead import KEY_BYTES
from api.store.audit.chain import AuditKey
from api.store.database.prepared_queries import PreparedQuery
from api.store.database.tables import OrganisationKeyRow
from api.store.key_ring import KeyRing
from api.store.keys.field_encryption import DataKey, DataKeys

DATA_KIND, AUDIT_KIND = "data", "audit"
_VERSION = PreparedQuery(
    select(col(OrganisationKeyRow.id), col(OrganisationKeyRow.current)).where(
        col(OrganisationKeyRow.organisation_id) == bindparam("organisation")
    )
)


class UnwrappedKeys(NamedTuple):
    """The unwrapped data and audit keys of one organisation."""

    data: DataKeys
    audit: AuditKey


class OrganisationKeys:
    """Loads, adds and deletes the keys of organisations; caches them unwrapped."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self._cache: dict[str, tuple[frozenset[tuple[str, bool]], UnwrappedKeys]] = {}

    def load_keys(self, session: Session, organisation: str) -> UnwrappedKeys | None:
        """Return the keys, or None for an unknown organisation. Raises KeyRingError."""
        rows = _VERSION.fetch(session.connection(), organisation=organisation)
        version = frozenset((row.id, row.current) for row in rows)
        cached = self._cache.get(organisation)
        if cached is None or cached[0] != version:
            if not rows:
                return None
            cached = version, self._unwrap_keys(session, organisation)
            self._cache[organisation] = cached
        return cached[1]

    def find_cached_keys(self, organisation: str) -> UnwrappedKeys | None:
        """Return the keys as last loaded, for what is checked again when it is stored."""
        cached = self._cache.get(organisation)
        return cached and cached[1]

    def add_key(
        self, session: Session, organisation: str, kind: str, at: datetime
    ) -> OrganisationKeyRow:
        """Add a new current key; the previous one still decrypts."""
        is_owned = col(OrganisationKeyRow.organisation_id) == organisation
        is_of_kind = col(OrganisationKeyRow.kind) == kind
        session.execute(
            update(OrganisationKeyRow).where(is_owned, is_of_kind).values(current=False)
        )
        row = OrganisationKeyRow(
            organisation_id=organisation,
            id=str(uuid4()),
            kind=kind,
            current=True,
            ring_key_id="",
            wrapped=b"",
            created_at=at,
        )
        wrapped = self.ring.wrap(os.urandom(KEY_BYTES), build_associated_data(row))
        row.ring_key_id, row.wrapped = wrapped
        session.execute(insert(OrganisationKeyRow).values(**row.model_dump()))
        return row

    def delete_key(self, session: Session, organisation: str, key_id: str) -> None:
        """Delete a key that encrypts no row any more."""
        session.execute(
            delete(OrganisationKeyRow).where(
                col(OrganisationKeyRow.organisation_id) == organisation,
                col(OrganisationKeyRow.id) == key_id,
            )
        )

    def _unwrap_keys(self, session: Session, organisation: str) -> UnwrappedKeys:
        rows = session.execute(
            select(OrganisationKeyRow).where(
                col(OrganisationKeyRow.organisation_id) == organisation
            )
        ).scalars()
        current: dict[str, tuple[str, bytes]] = {}
        older = []
        for row in rows:
            secret = self.ring.unwrap(row.ring_key_id, row.wrapped, build_associated_data(row))
            if row.current:
                current[row.kind] = row.id, secret
            else:
                older.append(DataKey(row.id, organisation, secret))
        data_id, data = current[DATA_KIND]
        audit_id, audit = current[AUDIT_KIND]
        return UnwrappedKeys(
            DataKeys(DataKey(data_id, organisation, data), older),
            AuditKey(audit_id, organisation, audit),
        )


def build_associated_data(row: OrganisationKeyRow) -> str:
    """Return the associated data of a wrapped organisation key."""
    return f"{row.organisation_id}|{row.kind}|{row.id}"
