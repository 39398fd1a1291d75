"""Destinations that receive deliveries; address, options and secrets are encrypted together."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pydantic import Field
from sqlalchemy import delete, func, insert, select, update
from sqlmodel import col

from api.problems import Problem
from api.security.keys import SigningKey
from api.store.database.tables import DeliveryRow, DestinationRow
from api.store.transaction import Transaction
from schemas.base import FrozenModel, Many
from schemas.delivery import Destination, SmartSignIn

TABLE = "destination"


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

    def load_signing_key(self) -> SigningKey | None:
        """Return the private key that signs our client assertions there, if there is one."""
        if self.key_kid is None or self.key_pem is None:
            return None
        return SigningKey(self.key_kid, "ES384", self.key_pem.encode())


def add_destination(
    work: Transaction, name: str, profile: str, content: DestinationSecrets, *, follows: bool
) -> str:
    """Store a new destination and return its id."""
    destination_id = f"d-{uuid4()}"
    work.session.execute(
        insert(DestinationRow).values(
            organisation_id=work.organisation,
            id=destination_id,
            name=name,
            profile=profile,
            active=True,
            follows=follows,
            created_at=work.now,
            last_seq=0,
            lease_holder=None,
            lease_until=None,
            key_id=work.current_key_id,
            content=_encrypt(work, destination_id, content),
        )
    )
    return destination_id


def find_destination(work: Transaction, destination_id: str) -> Destination:
    """Return the destination. Raises Problem `not_found`."""
    return _build_destination(work, _load_row(work, destination_id))


def list_destinations(work: Transaction) -> list[Destination]:
    """Return all destinations, oldest first."""
    rows = work.session.execute(
        select(DestinationRow)
        .where(col(DestinationRow.organisation_id) == work.organisation)
        .order_by(col(DestinationRow.created_at), col(DestinationRow.id))
    ).scalars()
    return [_build_destination(work, row) for row in rows.all()]


def find_destination_secrets(work: Transaction, destination_id: str) -> DestinationSecrets:
    """Return the decrypted part of the destination. Raises Problem `not_found`."""
    return _decrypt(work, _load_row(work, destination_id))


def update_destination(
    work: Transaction, destination_id: str, changes: Mapping[str, Any], content: DestinationSecrets
) -> None:
    """Update the given columns and replace the encrypted part. Raises Problem `not_found`."""
    _load_row(work, destination_id)
    work.session.execute(
        update(DestinationRow)
        .where(*_match_id(work, destination_id))
        .values(
            **changes, key_id=work.current_key_id, content=_encrypt(work, destination_id, content)
        )
    )
    work.session.expire_all()


def delete_destination(work: Transaction, destination_id: str) -> None:
    """Delete a destination. Raises Problem `not_found`, or `conflict` if it has deliveries."""
    _load_row(work, destination_id)
    if sum(_count_by_state(work, destination_id).values()):
        raise Problem("conflict", "Something was sent there: make it inactive instead.")
    work.session.execute(delete(DestinationRow).where(*_match_id(work, destination_id)))


def _load_row(work: Transaction, destination_id: str) -> DestinationRow:
    row = work.session.execute(
        select(DestinationRow).where(*_match_id(work, destination_id))
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    return row


def _match_id(work: Transaction, destination_id: str) -> tuple[Any, ...]:
    return (
        col(DestinationRow.organisation_id) == work.organisation,
        col(DestinationRow.id) == destination_id,
    )


def _encrypt(work: Transaction, destination_id: str, content: DestinationSecrets) -> bytes:
    plaintext = content.model_dump_json(exclude_none=True).encode()
    return work.encrypt_field(TABLE, "content", destination_id, plaintext)


def _decrypt(work: Transaction, row: DestinationRow) -> DestinationSecrets:
    plaintext = work.decrypt_field(row.key_id, TABLE, "content", row.id, row.content)
    values = json.loads(plaintext)
    return DestinationSecrets(**values | _to_strict_types(values))


def _to_strict_types(values: dict[str, Any]) -> dict[str, Any]:
    """Return the parts that JSON has no type for, as strict validation needs them."""
    smart = values.get("smart")
    parts: dict[str, Any] = {"webhook_secrets": tuple(values.get("webhook_secrets", ()))}
    return parts | ({"smart": SmartSignIn(**smart)} if smart else {})


def _build_destination(work: Transaction, row: DestinationRow) -> Destination:
    content = _decrypt(work, row)
    key = content.load_signing_key()
    counts = _count_by_state(work, row.id)
    return Destination(
        id=row.id,
        name=row.name,
        profile=row.profile,
        address=content.address,
        active=row.active,
        follows=row.follows,
        options=content.options,
        smart=content.smart,
        public_key=key.to_public_jwk() if key else None,
        own_certificate=content.certificate_and_key is not None,
        waiting=counts.get("waiting", 0) + counts.get("under_way", 0),
        parked=counts.get("parked", 0),
        created_at=row.created_at,
    )


def _count_by_state(work: Transaction, destination_id: str) -> dict[str, int]:
    rows = work.session.execute(
        select(col(DeliveryRow.state), func.count(col(DeliveryRow.id)))
        .where(
            col(DeliveryRow.organisation_id) == work.organisation,
            col(DeliveryRow.destination_id) == destination_id,
        )
        .group_by(col(DeliveryRow.state))
    )
    return {str(state): int(count) for state, count in rows}
