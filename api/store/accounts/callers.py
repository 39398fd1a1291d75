"""Callers: authenticates clients and returns their current organisation and scopes."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from hmac import compare_digest
from typing import NamedTuple

from sqlalchemy import bindparam, exists, or_, select
from sqlmodel import col

from api.security import smart_scopes
from api.security.client_secrets import verify_secret
from api.security.jwk_registration import parse_client_jwk
from api.security.keys import VerifyingKey
from api.security.scopes import expand_scopes
from api.security.tokens.access_tokens import Principal
from api.security.tokens.client_assertions import VerifiedAssertion
from api.store.accounts.quotas import QUOTA_COLUMNS, Quotas, read_quotas
from api.store.accounts.replay_cache import consume_once
from api.store.database.prepared_queries import PreparedQuery
from api.store.database.tables import (
    ApiKeyRow,
    ClientKeyRow,
    ClientKeySetRow,
    ClientRow,
    ClientSecretRow,
    OrganisationRow,
    RevokedTokenRow,
    UsedAssertionRow,
)
from api.store.errors import ConflictError
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.organisations.audit import AuthenticationMeans


class Caller(NamedTuple):
    """An authenticated client, its organisation, its current scopes and its FHIR permissions."""

    client: str
    organisation: str
    organisation_name: str
    test: bool
    scopes: frozenset[str]
    requests_per_minute: int | None
    means: AuthenticationMeans
    fhir_scopes: frozenset[str] = frozenset()
    quotas: Quotas = Quotas()


_CALLER = PreparedQuery(
    select(
        col(ClientRow.organisation_id),
        col(ClientRow.scopes),
        col(ClientRow.requests_per_minute).label("client_requests_per_minute"),
        col(OrganisationRow.name),
        col(OrganisationRow.test),
        *QUOTA_COLUMNS,
    )
    .join(OrganisationRow, col(OrganisationRow.id) == col(ClientRow.organisation_id))
    .where(
        col(ClientRow.id) == bindparam("client"),
        col(ClientRow.active),
        col(OrganisationRow.active),
        ~exists().where(
            col(RevokedTokenRow.organisation_id) == col(ClientRow.organisation_id),
            col(RevokedTokenRow.jti_sha256) == bindparam("token"),
        ),
    )
)


def resolve_principal(
    store: Store, principal: Principal, *, may_wait: bool = True
) -> Caller | None:
    """Return the client of a verified token; None if it is inactive, has moved or was revoked.

    Unless it may wait, None also means that the answer would take a wait.
    """
    caller = _look_up_caller(
        store, principal.client, "token", principal.jti_sha256, may_wait=may_wait
    )
    if caller is None or caller.organisation != principal.organisation:
        return None
    fhir_scopes = smart_scopes.limit_permissions(principal.fhir_permissions, caller.scopes)
    return caller._replace(scopes=caller.scopes & principal.scopes, fhir_scopes=fhir_scopes)


def authenticate_api_key(store: Store, key_id: str, sha256: str) -> Caller | None:
    """Return the client of an API key; None if the key is not valid."""
    with store.read_all_organisations() as session:
        row = session.execute(
            select(ApiKeyRow).where(
                col(ApiKeyRow.id) == key_id,
                col(ApiKeyRow.revoked_at).is_(None),
                col(ApiKeyRow.expires_at) > datetime.now(UTC),
            )
        ).scalar_one_or_none()
        if row is None or not compare_digest(row.sha256, sha256):
            return None
    caller = _look_up_caller(store, row.client_id, "api_key")
    return caller and caller._replace(scopes=caller.scopes & {*expand_scopes(row.scopes.split())})


def authenticate_secret(store: Store, client: str, secret: str) -> Caller | None:
    """Return the client if this is one of its valid secrets, otherwise None."""
    with store.read_all_organisations() as session:
        expires_at = col(ClientSecretRow.expires_at)
        hashes = session.execute(
            select(col(ClientSecretRow.sha256)).where(
                col(ClientSecretRow.client_id) == client,
                or_(expires_at.is_(None), expires_at > datetime.now(UTC)),
            )
        ).scalars()
        if True not in [verify_secret(secret, hash_) for hash_ in hashes]:
            return None
    return _look_up_caller(store, client, "token")


def look_up_client(store: Store, client: str) -> Caller | None:
    """Return the client of that id without authentication, to audit a denied request."""
    return _look_up_caller(store, client, "token")


def look_up_client_key(store: Store, client: str, kid: str) -> VerifyingKey | None:
    """Return the client's registered public key with this key id; None if there is none."""
    is_key = col(ClientKeyRow.client_id) == client, col(ClientKeyRow.kid) == kid
    row = store.look_up(select(col(ClientKeyRow.jwk)).where(*is_key))
    return parse_client_jwk(json.loads(row.jwk))[0] if row else None


def look_up_key_set(store: Store, client: str) -> tuple[str, str] | None:
    """Return the client's organisation and JWK set URL; None if inactive or not set."""
    row = store.look_up(
        select(col(ClientKeySetRow.organisation_id), col(ClientKeySetRow.url))
        .join(ClientRow, col(ClientRow.id) == col(ClientKeySetRow.client_id))
        .join(OrganisationRow, col(OrganisationRow.id) == col(ClientRow.organisation_id))
        .where(
            col(ClientKeySetRow.client_id) == client,
            col(ClientRow.active),
            col(OrganisationRow.active),
        )
    )
    return (row.organisation_id, row.url) if row else None


def consume_assertion(work: Transaction, assertion: VerifiedAssertion, keep_seconds: int) -> bool:
    """Mark a client assertion as used. Return False if it was used before."""
    keep_until = assertion.expires_at + keep_seconds
    key = {"client_id": assertion.client}
    return consume_once(work, UsedAssertionRow, key, assertion.jti, keep_until)


def revoke_token(work: Transaction, principal: Principal) -> None:
    """Refuse an access token from now on; revoking it again changes nothing."""
    expires_at = datetime.fromtimestamp(principal.expires_at, UTC)
    row = {"jti_sha256": principal.jti_sha256, "expires_at": expires_at}
    with suppress(ConflictError):
        work.insert_unique(RevokedTokenRow, row, ConflictError())


def _look_up_caller(
    store: Store,
    client: str,
    means: AuthenticationMeans,
    jti_sha256: str = "",
    *,
    may_wait: bool = True,
) -> Caller | None:
    look_up = store.look_up_prepared if may_wait else store.look_up_at_once
    row = look_up(_CALLER, client=client, token=jti_sha256)
    if row is None:
        return None
    return Caller(
        client=client,
        organisation=row.organisation_id,
        organisation_name=row.name,
        test=bool(row.test),
        scopes=frozenset(expand_scopes(row.scopes.split())),
        requests_per_minute=row.client_requests_per_minute,
        means=means,
        quotas=read_quotas(row),
    )
