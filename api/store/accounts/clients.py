"""Clients: the programs of an organisation, what they may do, and what they prove themselves by."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, insert, select, update
from sqlmodel import col

from api.problems import Problem
from api.security.client_secrets import hashed, new_api_key, new_secret
from api.security.jwk_registration import client_key
from api.security.scopes import known
from api.store.database.tables import (
    ApiKeyRow,
    ClientKeyRow,
    ClientKeySetRow,
    ClientRow,
    ClientSecretRow,
)
from api.store.transaction import Transaction
from schemas.organisation import Client, LiveCredential, PublishedKey

LIVE_AT_ONCE = 2


def add(
    work: Transaction, name: str, scopes: Iterable[str], requests_per_minute: int | None = None
) -> Client:
    """A new client that may do these things. Raises ValueError for an unknown scope."""
    client_id = f"c-{uuid4()}"
    work.session.execute(
        insert(ClientRow).values(
            organisation_id=work.organisation,
            id=client_id,
            name=name,
            scopes=" ".join(known(scopes)),
            active=True,
            requests_per_minute=requests_per_minute,
            created_at=work.now,
        )
    )
    return found(work, client_id)


def every(work: Transaction) -> list[Client]:
    """All clients of the organisation, in the order in which they were made."""
    ids = work.session.execute(
        select(col(ClientRow.id))
        .where(col(ClientRow.organisation_id) == work.organisation)
        .order_by(col(ClientRow.created_at), col(ClientRow.id))
    ).scalars()
    return [found(work, each) for each in ids.all()]


def found(work: Transaction, client_id: str) -> Client:
    """The client. Raises Problem `not_found`."""
    row = work.session.execute(
        select(ClientRow).where(
            col(ClientRow.organisation_id) == work.organisation, col(ClientRow.id) == client_id
        )
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    return Client(
        id=row.id,
        name=row.name,
        scopes=tuple(row.scopes.split()),
        active=row.active,
        requests_per_minute=row.requests_per_minute,
        created_at=row.created_at,
        secrets=tuple(LiveCredential(**_told(each)) for each in _secrets(work, client_id)),
        keys=tuple(
            PublishedKey(kid=each.kid, jwk=json.loads(each.jwk), created_at=each.created_at)
            for each in _of(work, ClientKeyRow, client_id)
        ),
        key_set_url=_key_set_url(work, client_id),
        api_keys=tuple(
            LiveCredential(**_told(each), scopes=tuple(each.scopes.split()))
            for each in _api_keys(work, client_id)
        ),
    )


def change(work: Transaction, client_id: str, changes: Mapping[str, Any]) -> Client:
    """The client with these of name, scopes, active, requests_per_minute changed, at once.

    Raises Problem `not_found`, and ValueError for an unknown scope.
    """
    found(work, client_id)
    values = dict(changes)
    if "scopes" in values:
        values["scopes"] = " ".join(known(values["scopes"]))
    if values:
        work.session.execute(
            update(ClientRow)
            .where(
                col(ClientRow.organisation_id) == work.organisation, col(ClientRow.id) == client_id
            )
            .values(**values)
        )
        work.session.expire_all()
    return found(work, client_id)


def add_secret(
    work: Transaction, client_id: str, expires_at: datetime | None = None
) -> tuple[LiveCredential, str]:
    """A new secret beside the one before it, shown this once. Raises Problem `conflict` at two."""
    _locked(work, client_id)
    if len(_secrets(work, client_id)) >= LIVE_AT_ONCE:
        raise Problem("conflict", "Two secrets are live already: take one back first.")
    secret = new_secret()
    made = LiveCredential(id=str(uuid4()), created_at=work.now, expires_at=expires_at)
    work.session.execute(
        insert(ClientSecretRow).values(
            organisation_id=work.organisation,
            client_id=client_id,
            sha256=hashed(secret),
            **made.model_dump(exclude={"scopes"}),
        )
    )
    return made, secret


def drop_secret(work: Transaction, client_id: str, secret_id: str) -> None:
    """Take a secret back. Raises Problem `not_found`."""
    _drop(work, ClientSecretRow, client_id, col(ClientSecretRow.id) == secret_id)


def add_key(work: Transaction, client_id: str, jwk: Mapping[str, Any]) -> PublishedKey:
    """Register a public key for `private_key_jwt`. Raises ValueError where it is not one."""
    _locked(work, client_id)
    key, canonical = client_key(jwk)
    if any(each.kid == key.kid for each in _of(work, ClientKeyRow, client_id)):
        raise Problem("conflict", "The client has a key of that name already.")
    work.session.execute(
        insert(ClientKeyRow).values(
            organisation_id=work.organisation,
            client_id=client_id,
            kid=key.kid,
            jwk=json.dumps(canonical),
            created_at=work.now,
        )
    )
    return PublishedKey(kid=key.kid, jwk=dict(canonical), created_at=work.now)


def drop_key(work: Transaction, client_id: str, kid: str) -> None:
    """Take a public key back. Raises Problem `not_found`."""
    _drop(work, ClientKeyRow, client_id, col(ClientKeyRow.kid) == kid)


def set_key_set(work: Transaction, client_id: str, url: str) -> None:
    """From now on the client's keys are also those published there, and at no other address.

    Raises Problem `not_found`.
    """
    _locked(work, client_id)
    _clear(work, ClientKeySetRow, client_id)
    work.session.execute(
        insert(ClientKeySetRow).values(
            organisation_id=work.organisation, client_id=client_id, url=url, created_at=work.now
        )
    )


def drop_key_set(work: Transaction, client_id: str) -> None:
    """No key published anywhere proves the client any more. Raises Problem `not_found`."""
    if not _clear(work, ClientKeySetRow, client_id):
        raise Problem("not_found")


def add_api_key(
    work: Transaction, client_id: str, scopes: Iterable[str], expires_at: datetime, *, test: bool
) -> tuple[LiveCredential, str]:
    """A new API key, shown this once. Raises Problem `conflict` at two, ValueError for a scope."""
    _locked(work, client_id)
    client = found(work, client_id)
    given = known(scopes)
    if not set(given) <= set(client.scopes):
        raise ValueError("a key may do no more than its client")
    if len(client.api_keys) >= LIVE_AT_ONCE:
        raise Problem("conflict", "Two keys are live already: revoke one first.")
    key = new_api_key(test=test)
    work.session.execute(
        insert(ApiKeyRow).values(
            organisation_id=work.organisation,
            id=key.id,
            client_id=client_id,
            sha256=key.hash,
            scopes=" ".join(given),
            created_at=work.now,
            expires_at=expires_at,
            revoked_at=None,
        )
    )
    shown = LiveCredential(id=key.id, created_at=work.now, expires_at=expires_at, scopes=given)
    return shown, key.text


def revoke_api_key(work: Transaction, client_id: str, key_id: str) -> None:
    """End a key at once. Raises Problem `not_found`."""
    if key_id not in {each.id for each in _api_keys(work, client_id)}:
        raise Problem("not_found")
    work.session.execute(
        update(ApiKeyRow)
        .where(col(ApiKeyRow.organisation_id) == work.organisation, col(ApiKeyRow.id) == key_id)
        .values(revoked_at=work.now)
    )


def _locked(work: Transaction, client_id: str) -> None:
    """Be the only one that adds to the client, to the end of the transaction, so that counts hold.

    Raises Problem `not_found`.
    """
    row = work.session.execute(
        select(col(ClientRow.id))
        .where(col(ClientRow.organisation_id) == work.organisation, col(ClientRow.id) == client_id)
        .with_for_update()
    ).first()
    if row is None:
        raise Problem("not_found")


def _secrets(work: Transaction, client_id: str) -> list[ClientSecretRow]:
    return [
        each
        for each in _of(work, ClientSecretRow, client_id)
        if each.expires_at is None or each.expires_at > work.now
    ]


def _api_keys(work: Transaction, client_id: str) -> list[ApiKeyRow]:
    return [
        each
        for each in _of(work, ApiKeyRow, client_id)
        if each.revoked_at is None and each.expires_at > work.now
    ]


def _of(work: Transaction, table: Any, client_id: str) -> list[Any]:
    rows = work.session.execute(
        select(table)
        .where(table.organisation_id == work.organisation, table.client_id == client_id)
        .order_by(table.created_at)
    )
    return list(rows.scalars())


def _drop(work: Transaction, table: Any, client_id: str, which: Any) -> None:
    done: Any = work.session.execute(
        delete(table).where(
            table.organisation_id == work.organisation, table.client_id == client_id, which
        )
    )
    if not done.rowcount:
        raise Problem("not_found")


def _clear(work: Transaction, table: Any, client_id: str) -> bool:
    """Drop what there is of the client; whether there was any."""
    done: Any = work.session.execute(
        delete(table).where(
            table.organisation_id == work.organisation, table.client_id == client_id
        )
    )
    return bool(done.rowcount)


def _key_set_url(work: Transaction, client_id: str) -> str | None:
    return next((each.url for each in _of(work, ClientKeySetRow, client_id)), None)


def _told(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("id", "created_at", "expires_at")}
