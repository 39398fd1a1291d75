"""External token issuers that an organisation trusts; the operator adds them.

Issuer and audience together belong to one organisation only: otherwise a token could not be
assigned to one.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import uuid4

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from api.problems import Problem
from api.security.jwk_registration import parse_client_jwk
from api.security.scopes import sort_known_scopes
from api.store.accounts.callers import Caller
from api.store.database.tables import IssuerRow, OrganisationRow, UsedTokenRow
from api.store.keys.field_encryption import hash_parts
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.issuer import Issuer, IssuerKind, IssuerTerms


class TrustedIssuer(NamedTuple):
    """An active issuer and its active organisation."""

    issuer: Issuer
    organisation_name: str
    test: bool

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
        )


def add_issuer(
    work: Transaction, kind: IssuerKind, issuer: str, audience: str, terms: IssuerTerms
) -> Issuer:
    """Add an issuer.

    Raises Problem `conflict` if any organisation trusts it for this audience already, and
    ValueError for an invalid key or an unknown scope.
    """
    _validate(terms)
    added = Issuer(
        id=f"i-{uuid4()}",
        organisation=work.organisation,
        kind=kind,
        issuer=issuer,
        audience=audience,
        active=True,
        created_at=work.now,
        terms=terms,
    )
    row = added.model_dump(exclude={"organisation", "terms"})
    row |= {"organisation_id": work.organisation, "content": terms.model_dump_json()}
    try:
        with work.session.begin_nested():
            work.session.execute(insert(IssuerRow).values(**row))
    except IntegrityError:
        raise Problem("conflict", "The issuer is trusted for this audience already.") from None
    return added


def update_issuer(
    work: Transaction,
    issuer_id: str,
    *,
    active: bool | None = None,
    terms: IssuerTerms | None = None,
) -> Issuer:
    """Activate or deactivate an issuer or change its terms; effective from the next call.

    Raises Problem `not_found`, and ValueError for an invalid key or an unknown scope.
    """
    values: dict[str, Any] = {} if active is None else {"active": active}
    if terms is not None:
        _validate(terms)
        values["content"] = terms.model_dump_json()
    if values:
        work.session.execute(
            update(IssuerRow).where(*_match_issuer(work, issuer_id)).values(**values)
        )
        work.session.expire_all()
    row = work.session.execute(
        select(IssuerRow).where(*_match_issuer(work, issuer_id))
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    return _build_issuer(row)


def delete_issuer(work: Transaction, issuer_id: str) -> None:
    """Delete an issuer. Raises Problem `not_found`."""
    result: Any = work.session.execute(delete(IssuerRow).where(*_match_issuer(work, issuer_id)))
    if not result.rowcount:
        raise Problem("not_found")


def list_issuers(work: Transaction) -> list[Issuer]:
    """Return all issuers of the organisation, oldest first."""
    rows = work.session.execute(
        select(IssuerRow)
        .where(col(IssuerRow.organisation_id) == work.organisation)
        .order_by(col(IssuerRow.created_at), col(IssuerRow.id))
    ).scalars()
    return [_build_issuer(row) for row in rows]


def look_up_trusted_issuer(
    store: Store, kind: IssuerKind, issuer: str, audience: str = ""
) -> TrustedIssuer | None:
    """Return the active issuer of an active organisation for this audience, otherwise None."""
    with store.read_all_organisations() as session:
        row = session.execute(
            select(IssuerRow, col(OrganisationRow.name), col(OrganisationRow.test))
            .join(OrganisationRow, col(OrganisationRow.id) == col(IssuerRow.organisation_id))
            .where(
                col(IssuerRow.kind) == kind,
                col(IssuerRow.issuer) == issuer,
                col(IssuerRow.audience) == audience,
                col(IssuerRow.active),
                col(OrganisationRow.active),
            )
        ).one_or_none()
        return TrustedIssuer(_build_issuer(row.IssuerRow), row.name, row.test) if row else None


def consume_token(
    work: Transaction, issuer_id: str, jti: str, expires_at: int, keep_seconds: int
) -> None:
    """Mark a token as used. Raises Problem `bad_token` if it was used before."""
    until = datetime.fromtimestamp(expires_at, UTC) + timedelta(seconds=keep_seconds)
    row = {
        "organisation_id": work.organisation,
        "issuer_id": issuer_id,
        "jti_sha256": hash_parts(jti.encode()),
        "expires_at": until,
    }
    try:
        with work.session.begin_nested():
            work.session.execute(insert(UsedTokenRow).values(**row))
    except IntegrityError:
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise Problem("bad_token", headers=challenge) from None


def _validate(terms: IssuerTerms) -> None:
    for jwk in terms.keys:
        parse_client_jwk(jwk)
    sort_known_scopes(
        [*terms.scopes, *(scope for scopes in terms.mapping.values() for scope in scopes)]
    )


def _build_issuer(row: Any) -> Issuer:
    return Issuer(
        id=row.id,
        organisation=row.organisation_id,
        kind=cast("IssuerKind", row.kind),
        issuer=row.issuer,
        audience=row.audience,
        active=row.active,
        created_at=row.created_at,
        terms=IssuerTerms.model_validate_json(row.content),
    )


def _match_issuer(work: Transaction, issuer_id: str) -> tuple[Any, ...]:
    return (
        col(IssuerRow.organisation_id) == work.organisation,
        col(IssuerRow.id) == issuer_id,
    )
