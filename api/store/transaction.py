"""The unit of work in one organisation: its session, field encryption and audit rows."""

import hmac
from datetime import datetime
from typing import NamedTuple

from api.store.audit import chain
from api.store.audit.chain import AuditKey
from api.store.database.tenancy import OrganisationSession
from api.store.keys.field_encryption import DataKeys, FieldLocation
from schemas.audit import Action, AuditedAction, AuthenticationMeans


class Actor(NamedTuple):
    """The acting client, practitioner or operator, with organisation, means and request."""

    organisation: str
    id: str
    means: AuthenticationMeans
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
        self.data_keys = data_keys
        self.now = now
        self.audit_row_count = 0
        self.stored_statuses: list[str] = []
        self._audit_key = audit_key

    @property
    def organisation(self) -> str:
        """The id of the organisation."""
        return self.actor.organisation

    @property
    def current_key_id(self) -> str:
        """The id of the current data-encryption key."""
        return self.data_keys.current.id

    def encrypt_field(self, table: str, column: str, row: str, plaintext: bytes) -> bytes:
        """Encrypt a field with the organisation's current key."""
        return self.data_keys.current.encrypt(FieldLocation(table, column, row), plaintext)

    def decrypt_field(
        self, key_id: str, table: str, column: str, row: str, encrypted_field: bytes
    ) -> bytes:
        """Decrypt a field of this organisation. Raises SealError."""
        return self.data_keys.decrypt(key_id, FieldLocation(table, column, row), encrypted_field)

    def compute_fingerprint(self, content: bytes) -> str:
        """Return a keyed hash (hexadecimal) that key rotation does not change."""
        return hmac.digest(self._audit_key.secret, b"fingerprint\x1f" + content, "sha256").hex()

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
        act = AuditedAction(
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
        chain.append_entry(self.session, self._audit_key, act, self.now)
        self.audit_row_count += 1
