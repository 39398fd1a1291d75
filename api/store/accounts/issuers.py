"""External token issuers that an organisation trusts; the operator adds them.

Issuer and audience together belong to one organisation only: otherwise a token could not be
assigned to one.
"""

import hashlib
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import bindparam, select
from sqlmodel import col

from api.security.jwk_registration import parse_client_jwk
from api.security.scopes import sort_known_scopes
from api.store.accounts.callers import Caller
from api.store.accounts.quotas import QUOTA_COLUMNS, Quotas, read_quotas
from api.store.accounts.replay_cache import consume_once
from api.store.database.prepared_queries import PreparedQuery, list_columns
from api.store.database.tables import IssuerRow, OrganisationRow, UsedTokenRow
from api.store.errors import ConflictError, NotFoundError
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.organisations.issuer import Issuer, IssuerKind, IssuerTerms
from schemas.text import accept_stored_text

_TRUSTED = PreparedQuery(
    select(
        *list_columns(IssuerRow),
        col(OrganisationRow.name),
        col(OrganisationRow.test),
        *QUOTA_COLUMNS,
    )
    .join(OrganisationRow, col(OrganisationRow.id) == col(IssuerRow.organisation_id))
    .where(
        col(IssuerRow.kind) == bindparam("kind"),
        col(IssuerRow.issuer) == bindparam("issuer"),
        col(IssuerRow.audience) == bindparam("audience"),
        col(IssuerRow.active),
        col(OrganisationRow.active),
    )
)


class TrustedIssuer(NamedTuple):
    """An active issuer and its active organisation."""

    issuer: Issuer
    organisation_name: str
    test: bool
    quotas: Quotas = Quotas()

    def build_caller(
        self, subject: str, scopes: frozenset[str], fhir_scopes: frozenset[str]
    ) -> Caller:
        """Return the caller for a subject of this issuer; its id contains a hash of the subject."""
        subject_hash = hashlib.sha256(subject.encode()).hexdigest()[:16]
        return Caller(
            client=f"{self.issuer.id}.{subject_hash}",
            organisation=self.issuer.organisation,
            organisation_name=self.organisation_name,
            test=self.test,
            scopes=scopes,
            requests_per_minute=None,
            means="token",
            fhir_scopes=fhir_scopes,
            quotas=self.quotas,
        )


def add_issuer(
    work: Transaction, kind: IssuerKind, issuer: str, audience: str, terms: IssuerTerms
) -> Issuer:
    """Add an issuer. Raises ConflictError if any organisation trusts it, or ValueError."""
    _validate(terms)
    if (kind == "launch") != (terms.client_id is not None):
        raise ValueError("client_id: required for launches, and only there")
    trusted_issuer = Issuer(
        id=f"i-{uuid4()}",
        organisation=work.organisation,
        kind=kind,
        issuer=issuer,
        audience=audience,
        active=True,
        created_at=work.now,
        terms=terms,
    )
    row = trusted_issuer.model_dump(exclude={"organisation", "terms"})
    row["content"] = terms.model_dump_json()
    conflict = ConflictError("This issuer is already trusted for this audience.")
    work.insert_unique(IssuerRow, row, conflict)
    return trusted_issuer


def update_issuer(
    work: Transaction,
    issuer_id: str,
    *,
    active: bool | None = None,
    terms: IssuerTerms | None = None,
) -> Issuer:
    """Activate, deactivate or change an issuer. Raises NotFoundError and ValueError."""
    values: dict[str, Any] = {} if active is None else {"active": active}
    if terms is not None:
        _validate(terms)
        values["content"] = terms.model_dump_json()
    if values:
        work.update(IssuerRow, values, col(IssuerRow.id) == issuer_id)
        work.session.expire_all()
    updated = _build_issuer(work.load_row(IssuerRow, issuer_id))
    if active is False:
        work.withdraw("issuer", issuer_id)
    if terms is not None:
        work.withdraw("issuer_terms", f"{issuer_id} {values['content']}")
    return updated


def delete_issuer(work: Transaction, issuer_id: str) -> None:
    """Delete an issuer. Raises NotFoundError."""
    if not work.delete(IssuerRow, col(IssuerRow.id) == issuer_id):
        raise NotFoundError
    work.withdraw("issuer", issuer_id)


def list_issuers(work: Transaction) -> list[Issuer]:
    """Return all issuers of the organisation, oldest first."""
    query = work.select(IssuerRow).order_by(col(IssuerRow.created_at), col(IssuerRow.id))
    return [_build_issuer(row) for row in work.list_rows(query)]


def look_up_trusted_issuer(
    store: Store, kind: IssuerKind, issuer: str, audience: str = ""
) -> TrustedIssuer | None:
    """Return the active issuer of an active organisation for this audience, otherwise None."""
    row = store.look_up_prepared(_TRUSTED, kind=kind, issuer=issuer, audience=audience)
    if row is None:
        return None
    return TrustedIssuer(_build_issuer(row), row.name, row.test, read_quotas(row))


def consume_token(
    work: Transaction, issuer_id: str, jti: str, expires_at: int, keep_seconds: int
) -> bool:
    """Mark a token as used. Return False if it was used before."""
    keep_until = expires_at + keep_seconds
    return consume_once(work, UsedTokenRow, {"issuer_id": issuer_id}, jti, keep_until)


def _validate(terms: IssuerTerms) -> None:
    for jwk in terms.keys:
        parse_client_jwk(jwk)
    mapped_scopes = (scope for scopes in terms.mapping.values() for scope in scopes)
    sort_known_scopes([*terms.scopes, *mapped_scopes])


@accept_stored_text()
def _build_issuer(row: Any) -> Issuer:
    return Issuer(
        id=row.id,
        organisation=row.organisation_id,
        kind=row.kind,
        issuer=row.issuer,
        audience=row.audience,
        active=row.active,
        created_at=row.created_at,
        terms=IssuerTerms.model_validate_json(row.content),
    )
