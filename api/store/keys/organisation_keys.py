"""The keys of each organisation, unwrapped once and kept in memory while they stand."""

import os
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.audit.chain import AuditKey
from api.store.database.tables import OrganisationKeyRow
from api.store.key_ring import KEY_BYTES, KeyRing
from api.store.keys.field_encryption import DataKey, DataKeys

DATA, AUDIT = "data", "audit"
_STAND = select(col(OrganisationKeyRow.id), col(OrganisationKeyRow.current)).where(
    col(OrganisationKeyRow.organisation_id) == bindparam("of")
)


class HeldKeys(NamedTuple):
    """What one organisation seals and chains with."""

    data: DataKeys
    audit: AuditKey


class OrganisationKeys:
    """Knows the keys of every organisation that was asked for."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self._held: dict[str, tuple[frozenset[tuple[str, bool]], HeldKeys]] = {}

    def of(self, session: Session, organisation: str) -> HeldKeys | None:
        """The keys as they stand now; None where there is no such organisation.

        Raises KeyRingError where the ring lacks a key that wraps them.
        """
        rows = session.execute(_STAND, {"of": organisation}).all()
        stand = frozenset((row.id, row.current) for row in rows)
        known = self._held.get(organisation)
        if known is None or known[0] != stand:
            if not rows:
                return None
            known = stand, self._unwrapped(session, organisation)
            self._held[organisation] = known
        return known[1]

    def add(
        self, session: Session, organisation: str, kind: str, at: datetime
    ) -> OrganisationKeyRow:
        """A new key, current from now on; the one before it still opens what it sealed."""
        session.execute(
            update(OrganisationKeyRow)
            .where(
                col(OrganisationKeyRow.organisation_id) == organisation,
                col(OrganisationKeyRow.kind) == kind,
            )
            .values(current=False)
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
        row.ring_key_id, row.wrapped = self.ring.wrap(os.urandom(KEY_BYTES), about(row))
        session.execute(insert(OrganisationKeyRow).values(**row.model_dump()))
        return row

    def drop(self, session: Session, organisation: str, key_id: str) -> None:
        """Destroy a key with which nothing is sealed any more."""
        session.execute(
            delete(OrganisationKeyRow).where(
                col(OrganisationKeyRow.organisation_id) == organisation,
                col(OrganisationKeyRow.id) == key_id,
            )
        )

    def _unwrapped(self, session: Session, organisation: str) -> HeldKeys:
        rows = session.execute(
            select(OrganisationKeyRow).where(
                col(OrganisationKeyRow.organisation_id) == organisation
            )
        ).scalars()
        current: dict[str, tuple[str, bytes]] = {}
        others = []
        for row in rows:
            secret = self.ring.unwrap(row.ring_key_id, row.wrapped, about(row))
            if row.current:
                current[row.kind] = row.id, secret
            else:
                others.append(DataKey(row.id, organisation, secret))
        data_id, data = current[DATA]
        audit_id, audit = current[AUDIT]
        return HeldKeys(
            DataKeys(DataKey(data_id, organisation, data), others),
            AuditKey(audit_id, organisation, audit),
        )


def about(row: OrganisationKeyRow) -> str:
    """What the wrapping of a key is bound to."""
    return f"{row.organisation_id}|{row.kind}|{row.id}"
