"""Destinations that receive deliveries; address, options and secrets are encrypted together."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pydantic import Field
from sqlalchemy import func
from sqlmodel import col

from api.security.keys import SigningKey
from api.store.database.tables import DeliveryRow, DestinationRow
from api.store.errors import ConflictError
from api.store.transaction import Transaction
from schemas.base import FrozenModel, Many
from schemas.organisations.delivery import Destination, SmartSignIn, SubscriptionTerms
from schemas.organisations.organisation import require_titles
from schemas.text import accept_stored_text


class DestinationSecrets(FrozenModel):
    """The encrypted part of a destination; clients never see all of it."""

    address: str
    options: dict[str, Any] = Field(default_factory=dict)
    smart: SmartSignIn | None = None
    key_kid: str | None = None
    key_pem: str | None = None
    webhook_secrets: Many[str] = ()
    authorities: str | None = None
    certificate_and_key: str | None = None
    subscription: SubscriptionTerms | None = None

    def load_signing_key(self) -> SigningKey | None:
        """Return the private key that signs our client assertions there, if there is one."""
        if self.key_kid is None or self.key_pem is None:
            return None
        return SigningKey(self.key_kid, "ES384", self.key_pem.encode())


def add_destination(  # noqa: PLR0913 - each part of a destination
    work: Transaction,
    name: str,
    profile: str,
    content: DestinationSecrets,
    *,
    follows: bool,
    requested_id: str | None = None,
) -> str:
    """Store a new destination, under this id if given, and return its id."""
    require_titles({"name": name})
    destination_id = requested_id or f"d-{uuid4()}"
    row = {
        "id": destination_id,
        "name": name,
        "profile": profile,
        "active": True,
        "follows": follows,
        "created_at": work.now,
        "last_seq": 0,
    }
    work.insert(DestinationRow, row, content=_encode(content))
    return destination_id


def find_destination(work: Transaction, destination_id: str) -> Destination:
    """Return the destination. Raises NotFoundError."""
    return _build_destination(work, work.load_row(DestinationRow, destination_id))


def list_destinations(work: Transaction) -> list[Destination]:
    """Return all destinations, oldest first."""
    query = work.select(DestinationRow)
    rows = work.list_rows(query.order_by(col(DestinationRow.created_at), col(DestinationRow.id)))
    return [_build_destination(work, row) for row in rows]


def find_destination_secrets(work: Transaction, destination_id: str) -> DestinationSecrets:
    """Return the decrypted part of the destination. Raises NotFoundError."""
    return _decrypt(work, work.load_row(DestinationRow, destination_id))


def update_destination(
    work: Transaction, destination_id: str, changes: Mapping[str, Any], content: DestinationSecrets
) -> None:
    """Update the given columns and replace the encrypted part. Raises NotFoundError."""
    require_titles(changes)
    before = find_destination_secrets(work, destination_id)
    encrypted = work.encrypt_columns(DestinationRow, destination_id, content=_encode(content))
    work.update(DestinationRow, {**changes, **encrypted}, col(DestinationRow.id) == destination_id)
    work.session.expire_all()
    if changes.get("active") is False or content != before:
        work.withdraw("destination", destination_id)


def delete_destination(work: Transaction, destination_id: str) -> None:
    """Delete a destination. Raises NotFoundError, or ConflictError if it has deliveries."""
    work.load_row(DestinationRow, destination_id)
    if work.count(DeliveryRow, col(DeliveryRow.destination_id) == destination_id):
        raise ConflictError("The destination has deliveries. Deactivate it instead.")
    work.delete(DestinationRow, col(DestinationRow.id) == destination_id)
    work.withdraw("destination", destination_id)


def _encode(content: DestinationSecrets) -> bytes:
    return content.model_dump_json(exclude_none=True).encode()


def _decrypt(work: Transaction, row: DestinationRow) -> DestinationSecrets:
    return DestinationSecrets.model_validate_json(work.decrypt_column(row, "content"))


@accept_stored_text()
def _build_destination(work: Transaction, row: DestinationRow) -> Destination:
    content = _decrypt(work, row)
    key = content.load_signing_key()
    counts = _count_by_state(work, row.id)
    return Destination(
        **row.model_dump(include=set(Destination.model_fields)),
        address=content.address,
        options=content.options,
        smart=content.smart,
        public_key=key.to_public_jwk() if key else None,
        own_certificate=content.certificate_and_key is not None,
        waiting=counts.get("waiting", 0) + counts.get("under_way", 0),
        parked=counts.get("parked", 0),
    )


def _count_by_state(work: Transaction, destination_id: str) -> dict[str, int]:
    query = work.select(DeliveryRow.state, func.count(col(DeliveryRow.id)))
    is_of_destination = col(DeliveryRow.destination_id) == destination_id
    rows = work.session.execute(query.where(is_of_destination).group_by(col(DeliveryRow.state)))
    return {str(state): int(count) for state, count in rows}
