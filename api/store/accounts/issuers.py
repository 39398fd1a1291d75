"""Issuers: who signs tokens for an organisation; made by whoever runs the service, for one alone.

No two organisations take the tokens of the same issuer for the same audience: a token that could
be meant for either would be read in one of them by mistake.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast
from uuid import uuid4

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from api.problems import Problem
from api.security.jwk_registration import client_key
from api.security.scopes import known
from api.store.accounts.callers import Caller
from api.store.database.tables import IssuerRow, OrganisationRow, UsedTokenRow
from api.store.keys.field_encryption import digest
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.issuer import Issuer, IssuerKind, IssuerTerms


class Trusted(NamedTuple):
    """An issuer as it is trusted now, and whose it is."""

    issuer: Issuer
    organisation_name: str
    test: bool

    def caller(self, subject: str, scopes: frozenset[str], fhir: frozenset[str]) -> Caller:
        """Whoever the issuer names so; told apart from others by a hash, not by the name."""
        named = hashlib.sha256(subject.encode()).hexdigest()[:16]
        return Caller(
            client=f"{self.issuer.id}.{named}",
            organisation=self.issuer.organisation,
            organisation_name=self.organisation_name,
            test=self.test,
            scopes=scopes,
            requests_per_minute=None,
            means="token",
            fhir=fhir,
        )


def add(
    work: Transaction, kind: IssuerKind, issuer: str, audience: str, terms: IssuerTerms
) -> Issuer:
    """A new issuer.

    Raises Problem `conflict` where it is trusted for the audience already, here or elsewhere, and
    ValueError for a key or a scope that is none.
    """
    _check(terms)
    made = Issuer(
        id=f"i-{uuid4()}",
        organisation=work.organisation,
        kind=kind,
        issuer=issuer,
        audience=audience,
        active=True,
        created_at=work.now,
        terms=terms,
    )
    row = made.model_dump(exclude={"organisation", "terms"})
    row |= {"organisation_id": work.organisation, "content": terms.model_dump_json()}
    try:
        with work.session.begin_nested():
            work.session.execute(insert(IssuerRow).values(**row))
    except IntegrityError:
        raise Problem("conflict", "The issuer is trusted for this audience already.") from None
    return made


def change(
    work: Transaction,
    issuer_id: str,
    *,
    active: bool | None = None,
    terms: IssuerTerms | None = None,
) -> Issuer:
    """The issuer, let in or shut out, with other terms: from the next call on.

    Raises Problem `not_found`, and ValueError as `add` does.
    """
    values: dict[str, Any] = {} if active is None else {"active": active}
    if terms is not None:
        _check(terms)
        values["content"] = terms.model_dump_json()
    if values:
        work.session.execute(update(IssuerRow).where(*_at(work, issuer_id)).values(**values))
        work.session.expire_all()
    return next((each for each in every(work) if each.id == issuer_id), None) or _missing()


def drop(work: Transaction, issuer_id: str) -> None:
    """Trust it no more. Raises Problem `not_found`."""
    done: Any = work.session.execute(delete(IssuerRow).where(*_at(work, issuer_id)))
    if not done.rowcount:
        _missing()


def every(work: Transaction) -> list[Issuer]:
    """All issuers of the organisation, in the order in which they were made."""
    rows = work.session.execute(
        select(IssuerRow)
        .where(col(IssuerRow.organisation_id) == work.organisation)
        .order_by(col(IssuerRow.created_at), col(IssuerRow.id))
    ).scalars()
    return [_told(row) for row in rows]


def trusted(store: Store, kind: IssuerKind, issuer: str, audience: str = "") -> Trusted | None:
    """The issuer of that name for that audience, where it and its organisation are active."""
    with store.glance() as session:
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
        return Trusted(_told(row.IssuerRow), row.name, row.test) if row else None


def use_token(
    work: Transaction, issuer_id: str, jti: str, expires_at: int, keep_seconds: int
) -> None:
    """Use a token up. Raises Problem `bad_token` where it was used before."""
    until = datetime.fromtimestamp(expires_at, UTC) + timedelta(seconds=keep_seconds)
    row = {
        "organisation_id": work.organisation,
        "issuer_id": issuer_id,
        "jti_sha256": digest(jti.encode()),
        "expires_at": until,
    }
    try:
        with work.session.begin_nested():
            work.session.execute(insert(UsedTokenRow).values(**row))
    except IntegrityError:
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise Problem("bad_token", headers=challenge) from None


def _check(terms: IssuerTerms) -> None:
    for each in terms.keys:
        client_key(each)
    known([*terms.scopes, *(scope for each in terms.mapping.values() for scope in each)])


def _told(row: Any) -> Issuer:
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


def _at(work: Transaction, issuer_id: str) -> tuple[Any, ...]:
    return (
        col(IssuerRow.organisation_id) == work.organisation,
        col(IssuerRow.id) == issuer_id,
    )


def _missing() -> Issuer:
    raise Problem("not_found")
