"""Practitioners of an organisation, who sign in or attest screenings."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from api.problems import Problem
from api.security.scopes import known
from api.store.accounts.revocation import shut_out
from api.store.database.tables import PractitionerRow
from api.store.transaction import Transaction
from schemas.organisation import Practitioner

AT_DESK = ("screenings:read", "screenings:write", "reports:read")
"""The default scopes of a practitioner who works with patients."""


def add(work: Transaction, reference: str, name: str, scopes: Iterable[str]) -> Practitioner:
    """Add a practitioner. Raises Problem `conflict` for a used reference, or ValueError."""
    practitioner = Practitioner(
        id=f"p-{uuid4()}",
        reference=reference,
        name=name,
        scopes=known(scopes),
        active=True,
        created_at=work.now,
    )
    values = practitioner.model_dump() | {"scopes": " ".join(practitioner.scopes)}
    try:
        with work.session.begin_nested():
            work.session.execute(
                insert(PractitionerRow).values(organisation_id=work.organisation, **values)
            )
    except IntegrityError:
        raise Problem("conflict", "A practitioner has that reference already.") from None
    return practitioner


def every(work: Transaction) -> list[Practitioner]:
    """Return all practitioners of the organisation, oldest first."""
    rows = work.session.execute(
        select(PractitionerRow)
        .where(col(PractitionerRow.organisation_id) == work.organisation)
        .order_by(col(PractitionerRow.created_at), col(PractitionerRow.id))
    ).scalars()
    return [told(row) for row in rows]


def found(work: Transaction, practitioner_id: str) -> Practitioner:
    """Return the practitioner. Raises Problem `not_found`."""
    row = work.session.execute(
        select(PractitionerRow).where(
            col(PractitionerRow.organisation_id) == work.organisation,
            col(PractitionerRow.id) == practitioner_id,
        )
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    return told(row)


def change(work: Transaction, practitioner_id: str, changes: Mapping[str, Any]) -> Practitioner:
    """Update any of name, scopes and active.

    Deactivation and reactivation end the practitioner's sessions and invitations. Raises Problem
    `not_found`, and ValueError for an unknown scope.
    """
    before = found(work, practitioner_id)
    values = dict(changes)
    if "scopes" in values:
        values["scopes"] = " ".join(known(values["scopes"]))
    if values:
        work.session.execute(
            update(PractitionerRow)
            .where(
                col(PractitionerRow.organisation_id) == work.organisation,
                col(PractitionerRow.id) == practitioner_id,
            )
            .values(**values)
        )
        work.session.expire_all()
    updated = found(work, practitioner_id)
    if updated.active != before.active:
        shut_out(work, practitioner_id)
    return updated


def told(row: PractitionerRow) -> Practitioner:
    """Build the practitioner from its row."""
    values = row.model_dump(exclude={"organisation_id"})
    return Practitioner(**values | {"scopes": tuple(row.scopes.split())})
