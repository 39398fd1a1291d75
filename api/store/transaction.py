"""A transaction in one organisation: what is read or written in it, sealed and audited in it."""

import hmac
from datetime import datetime
from typing import NamedTuple

from api.store.audit import chain
from api.store.audit.chain import AuditKey
from api.store.database.tenancy import OrganisationSession
from api.store.keys.field_encryption import DataKeys, Place
from schemas.audit import Act, Action, Means


class Actor(NamedTuple):
    """Who acts, in which organisation, by what means, on which request."""

    organisation: str
    id: str
    means: Means
    route: str = ""
    request_id: str = ""


class Transaction:
    """Open until its block ends; it must leave at least one row of audit behind.

    `kept` holds the status of each screening that was kept, to be counted once it is committed.
    """

    def __init__(
        self,
        session: OrganisationSession,
        actor: Actor,
        data_keys: DataKeys,
        audit_key: AuditKey,
        now: datetime,
    ) -> None:
        self.session = session
        self.actor = actor
        self.keys = data_keys
        self.now = now
        self.audited = 0
        self.kept: list[str] = []
        self._audit_key = audit_key

    @property
    def organisation(self) -> str:
        """The id of the organisation."""
        return self.actor.organisation

    @property
    def key_id(self) -> str:
        """The id of the data key that seals now."""
        return self.keys.current.id

    def seal(self, table: str, column: str, row: str, plain: bytes) -> bytes:
        """A field of this organisation, sealed by its current key."""
        return self.keys.current.seal(Place(table, column, row), plain)

    def open(self, key_id: str, table: str, column: str, row: str, sealed: bytes) -> bytes:
        """A field of this organisation. Raises SealError."""
        return self.keys.open(key_id, Place(table, column, row), sealed)

    def fingerprint(self, told: bytes) -> str:
        """A keyed hash that stays the same for as long as the organisation lives."""
        return hmac.digest(self._audit_key.secret, b"fingerprint\x1f" + told, "sha256").hex()

    def audit(
        self,
        action: Action,
        kind: str = "",
        target: str = "",
        *,
        outcome: str = "ok",
        count: int = 1,
    ) -> None:
        """Leave a row of what was done, in this transaction. Call it last."""
        act = Act(
            actor=self.actor.id,
            means=self.actor.means,
            action=action,
            outcome=outcome,
            kind=kind,
            target=target,
            route=self.actor.route,
            request_id=self.actor.request_id,
            count=count,
        )
        chain.append(self.session, self._audit_key, act, self.now)
        self.audited += 1
