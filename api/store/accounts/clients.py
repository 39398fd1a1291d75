"""Clients of an organisation, with their scopes and credentials."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlmodel import col

from api.security.client_secrets import generate_api_key, generate_client_secret, hash_secret
from api.security.jwk_registration import parse_client_jwk
from api.security.scopes import expand_scopes, sort_known_scopes
from api.store.accounts import grants
from api.store.database import tables
from api.store.errors import ConflictError, NotFoundError
from api.store.transaction import Transaction
from schemas.organisations.organisation import (
    Client,
    CredentialSummary,
    PublishedKey,
    require_titles,
)
from schemas.text import accept_stored_text

MAX_LIVE_CREDENTIALS = 2


def add_client(
    work: Transaction, name: str, scopes: Iterable[str], requests_per_minute: int | None = None
) -> Client:
    """Add a client. Raises ValueError for an unknown scope, and GrantError."""
    require_titles({"name": name})
    client_id = f"c-{uuid4()}"
    known_scopes = sort_known_scopes(scopes)
    grants.require_held_scopes(work, known_scopes)
    grants.require_held_limit(work, requests_per_minute)
    row = {
        "id": client_id,
        "name": name,
        "scopes": " ".join(known_scopes),
        "active": True,
        "requests_per_minute": requests_per_minute,
        "created_at": work.now,
    }
    work.insert(tables.ClientRow, row)
    return find_client(work, client_id)


def list_clients(work: Transaction) -> list[Client]:
    """Return all clients of the organisation, oldest first."""
    query = work.select(tables.ClientRow.id).order_by(
        col(tables.ClientRow.created_at), col(tables.ClientRow.id)
    )
    return [find_client(work, client_id) for client_id in work.list_rows(query)]


@accept_stored_text()
def find_client(work: Transaction, client_id: str) -> Client:
    """Return the client. Raises NotFoundError."""
    row = work.load_row(tables.ClientRow, client_id)
    return Client(
        id=row.id,
        name=row.name,
        scopes=expand_scopes(row.scopes.split()),
        active=row.active,
        requests_per_minute=row.requests_per_minute,
        created_at=row.created_at,
        secrets=tuple(_live_credential(row) for row in _live_secrets(work, client_id)),
        keys=tuple(
            PublishedKey(kid=key.kid, jwk=json.loads(key.jwk), created_at=key.created_at)
            for key in _list_rows(work, tables.ClientKeyRow, client_id)
        ),
        key_set_url=next(
            (row.url for row in _list_rows(work, tables.ClientKeySetRow, client_id)), None
        ),
        api_keys=tuple(
            _live_credential(row, expand_scopes(row.scopes.split()))
            for row in _live_api_keys(work, client_id)
        ),
    )


def update_client(work: Transaction, client_id: str, changes: Mapping[str, Any]) -> Client:
    """Update any of name, scopes, active and rate limit.

    Raises NotFoundError, ValueError and GrantError.
    """
    before = find_client(work, client_id)
    values = dict(changes)
    require_titles(values)
    if "scopes" in values:
        scopes = sort_known_scopes(values["scopes"])
        grants.require_held_scopes(work, scopes, before.scopes)
        values["scopes"] = " ".join(scopes)
    if values.get("requests_per_minute", before.requests_per_minute) != before.requests_per_minute:
        current = before.requests_per_minute
        grants.require_held_limit(work, values["requests_per_minute"], current)
    if values:
        work.update(tables.ClientRow, values, col(tables.ClientRow.id) == client_id)
        work.session.expire_all()
    updated = find_client(work, client_id)
    if before.active and not updated.active:
        work.withdraw("client", client_id)
    if not set(before.scopes) <= set(updated.scopes):
        work.withdraw("client_scopes", " ".join((client_id, *updated.scopes)))
    if updated.requests_per_minute != before.requests_per_minute:
        work.withdraw("client_limit", f"{client_id} {updated.requests_per_minute or ''}")
    return updated


def add_secret(
    work: Transaction, client_id: str, expires_at: datetime | None = None
) -> tuple[CredentialSummary, str]:
    """Add a client secret and return it, once. Raises ConflictError at two, and GrantError."""
    _lock_grantable_client(work, client_id)
    if len(_live_secrets(work, client_id)) >= MAX_LIVE_CREDENTIALS:
        raise ConflictError("The client already has two valid secrets: revoke one first.")
    secret = generate_client_secret()
    credential = CredentialSummary(id=str(uuid4()), created_at=work.now, expires_at=expires_at)
    row = {"client_id": client_id, "sha256": hash_secret(secret)}
    work.insert(tables.ClientSecretRow, row | credential.model_dump(exclude={"scopes"}))
    return credential, secret


def revoke_secret(work: Transaction, client_id: str, secret_id: str) -> None:
    """Revoke a client secret. Raises NotFoundError."""
    _revoke(work, tables.ClientSecretRow, client_id, col(tables.ClientSecretRow.id) == secret_id)
    work.withdraw("secret", secret_id)


def add_client_key(work: Transaction, client_id: str, jwk: Mapping[str, Any]) -> PublishedKey:
    """Register a public key. Raises ValueError, ConflictError and GrantError."""
    _lock_grantable_client(work, client_id)
    key, canonical = parse_client_jwk(jwk)
    if any(row.kid == key.kid for row in _list_rows(work, tables.ClientKeyRow, client_id)):
        raise ConflictError("The client already has a key with this key id (`kid`).")
    row = {"client_id": client_id, "kid": key.kid, "created_at": work.now}
    work.insert(tables.ClientKeyRow, row | {"jwk": json.dumps(canonical)})
    return PublishedKey(kid=key.kid, jwk=dict(canonical), created_at=work.now)


def revoke_client_key(work: Transaction, client_id: str, kid: str) -> None:
    """Revoke a public key. Raises NotFoundError."""
    _revoke(work, tables.ClientKeyRow, client_id, col(tables.ClientKeyRow.kid) == kid)
    work.withdraw("public_key", f"{client_id} {kid}")


def set_key_set_url(work: Transaction, client_id: str, url: str) -> None:
    """Set the URL of the client's JWK set, in place of an earlier one.

    Raises NotFoundError and GrantError.
    """
    _lock_grantable_client(work, client_id)
    if work.delete(tables.ClientKeySetRow, col(tables.ClientKeySetRow.client_id) == client_id):
        work.withdraw("key_set", client_id)
    row = {"client_id": client_id, "url": url, "created_at": work.now}
    work.insert(tables.ClientKeySetRow, row)


def delete_key_set_url(work: Transaction, client_id: str) -> None:
    """Stop trusting the client's JWK set. Raises NotFoundError."""
    _revoke(work, tables.ClientKeySetRow, client_id)
    work.withdraw("key_set", client_id)


def add_api_key(
    work: Transaction, client_id: str, scopes: Iterable[str], expires_at: datetime, *, test: bool
) -> tuple[CredentialSummary, str]:
    """Add an API key and return its text, once.

    Raises ConflictError at two, GrantError and ValueError.
    """
    _lock_client(work, client_id)
    client = find_client(work, client_id)
    key_scopes = sort_known_scopes(scopes)
    if not set(key_scopes) <= set(client.scopes):
        raise ValueError("an API key can't have scopes that its client lacks")
    grants.require_held_scopes(work, key_scopes)
    if len(client.api_keys) >= MAX_LIVE_CREDENTIALS:
        raise ConflictError("The client already has two valid API keys: revoke one first.")
    key = generate_api_key(test=test)
    row = {
        "id": key.id,
        "client_id": client_id,
        "sha256": key.hash,
        "scopes": " ".join(key_scopes),
        "created_at": work.now,
        "expires_at": expires_at,
    }
    work.insert(tables.ApiKeyRow, row)
    credential = CredentialSummary(
        id=key.id, created_at=work.now, expires_at=expires_at, scopes=key_scopes
    )
    return credential, key.text


def revoke_api_key(work: Transaction, client_id: str, key_id: str) -> None:
    """Revoke an API key. Raises NotFoundError."""
    if key_id not in {row.id for row in _live_api_keys(work, client_id)}:
        raise NotFoundError
    work.update(tables.ApiKeyRow, {"revoked_at": work.now}, col(tables.ApiKeyRow.id) == key_id)
    work.withdraw("api_key", key_id)


def _lock_client(work: Transaction, client_id: str) -> tables.ClientRow:
    """Lock the client, so that counted credentials stay correct. Raises NotFoundError."""
    return work.load_row(tables.ClientRow, client_id, lock=True)


def _lock_grantable_client(work: Transaction, client_id: str) -> None:
    """Lock the client. Raises GrantError if it has a scope that the actor lacks."""
    row = _lock_client(work, client_id)
    grants.require_held_scopes(work, expand_scopes(row.scopes.split()))


def _live_secrets(work: Transaction, client_id: str) -> list[tables.ClientSecretRow]:
    return [
        row
        for row in _list_rows(work, tables.ClientSecretRow, client_id)
        if row.expires_at is None or row.expires_at > work.now
    ]


def _live_api_keys(work: Transaction, client_id: str) -> list[tables.ApiKeyRow]:
    return [
        row
        for row in _list_rows(work, tables.ApiKeyRow, client_id)
        if row.revoked_at is None and row.expires_at > work.now
    ]


def _list_rows(work: Transaction, table: Any, client_id: str) -> list[Any]:
    query = work.select(table).where(table.client_id == client_id).order_by(table.created_at)
    return list(work.list_rows(query))


def _revoke(work: Transaction, table: Any, client_id: str, *conditions: Any) -> None:
    if not work.delete(table, table.client_id == client_id, *conditions):
        raise NotFoundError


def _live_credential(row: Any, scopes: tuple[str, ...] | None = None) -> CredentialSummary:
    return CredentialSummary(
        id=row.id, created_at=row.created_at, expires_at=row.expires_at, scopes=scopes
    )
