"""The unit of work in one organisation: its session, field encryption and audit rows."""

import hmac
from datetime import datetime
from typing import NamedTuple

from api.store.audit import chain
from api.store.audit.chain import AuditKey
from api.store.database.tenancy import OrganisationSession
from api.store.keys.field_encryption import DataKeys, Place
from schemas.audit import Act, Action, Means


class Actor(NamedTuple):
    """The acting client, practitioner or operator, with organisation, means and request."""

    organisation: str
    id: str
    means: Means
    route: str = ""
    request_id: str = ""


class Transaction:
    """A unit of work, open until its block ends; it must write at least one audit row.

    The status of each stored screening is collected, to be counted in the metrics after commit.
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
        """The id of the current data-encryption key."""
        return self.keys.current.id

    def seal(self, table: str, column: str, row: str, plain: bytes) -> bytes:
        """Encrypt a field with the organisation's current key."""
        return self.keys.current.seal(Place(table, column, row), plain)

    def open(self, key_id: str, table: str, column: str, row: str, sealed: bytes) -> bytes:
        """Decrypt a field of this organisation. Raises SealError."""
        return self.keys.open(key_id, Place(table, column, row), sealed)

    def fingerprint(self, told: bytes) -> str:
        """Return a keyed hash (hexadecimal) that key rotation does not change."""
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
        """Write an audit row in this transaction. Call it last: it locks the audit chain."""
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
