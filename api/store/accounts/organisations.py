"""Organisations: made by whoever runs the service, changed by their own administrators."""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlmodel import col

from api.problems import Problem
from api.security.keys import SigningAlgorithm
from api.store.accounts import letterheads
from api.store.accounts.revocation import shut_out
from api.store.audit import chain
from api.store.database.tables import OrganisationRow
from api.store.database.tenancy import OrganisationSession
from api.store.keys import signing_keys
from api.store.keys.organisation_keys import AUDIT, DATA
from api.store.store import Store
from api.store.transaction import Actor, Transaction
from schemas.organisation import Organisation

SYSTEM = "system"
"""The chain of what belongs to no organisation: the service's own acts, and strangers refused."""

SERVICE = Actor(SYSTEM, "service", "service")
OPERATOR = Actor(SYSTEM, "command_line", "command_line")


def make_system(store: Store, algorithm: SigningAlgorithm) -> None:
    """The service's own chain and its first signing key, where they are not there yet."""
    with store.glance() as session:
        if _found(session, SYSTEM) is not None:
            return
    with contextlib.suppress(IntegrityError), store.across() as session:  # another was faster
        _insert(store, session, _new(SYSTEM, "nociscreen", test=False, retention_years=None))
        signing_keys.add_key(session, store.ring, algorithm)
        store.within(session, SERVICE).audit("administer", "organisation", SYSTEM)


def add(store: Store, name: str, *, test: bool, retention_years: int | None = None) -> Organisation:
    """A new organisation with keys and a chain of its own."""
    with store.across() as session:
        return begin(store, session, name, test=test, retention_years=retention_years)


def begin(
    store: Store,
    session: OrganisationSession,
    name: str,
    *,
    test: bool,
    retention_years: int | None = None,
) -> Organisation:
    """The same within a transaction that does more."""
    made = _new(f"o-{uuid4()}", name, test=test, retention_years=retention_years)
    _insert(store, session, made)
    for organisation in (SYSTEM, made.id):
        own = OPERATOR._replace(organisation=organisation)
        store.within(session, own).audit("administer", "organisation", made.id)
    return made


def every(session: Session) -> list[Organisation]:
    """All organisations but the service's own, in the order in which they were made."""
    rows = session.execute(
        select(OrganisationRow)
        .where(col(OrganisationRow.id) != SYSTEM)
        .order_by(col(OrganisationRow.created_at), col(OrganisationRow.id))
    ).scalars()
    return [Organisation(**row.model_dump()) for row in rows]


def own(work: Transaction) -> Organisation:
    """The organisation of the transaction."""
    found = _found(work.session, work.organisation)
    if found is None:
        raise Problem("not_found")
    return found


def change(work: Transaction, changes: Mapping[str, Any]) -> Organisation:
    """The organisation with these of name, test, active, retention_years changed.

    Where it is closed, or opened again, nobody is signed in.
    """
    before = own(work)
    if changes:
        work.session.execute(
            update(OrganisationRow)
            .where(col(OrganisationRow.id) == work.organisation)
            .values(**changes)
        )
    work.session.expire_all()
    changed = own(work)
    if changed.active != before.active:
        shut_out(work)
    return changed


def _found(session: Session, organisation: str) -> Organisation | None:
    row = session.execute(
        select(OrganisationRow).where(col(OrganisationRow.id) == organisation)
    ).scalar_one_or_none()
    return Organisation(**row.model_dump()) if row else None


def _new(organisation: str, name: str, *, test: bool, retention_years: int | None) -> Organisation:
    return Organisation(
        id=organisation,
        name=name,
        test=test,
        active=True,
        retention_years=retention_years,
        created_at=datetime.now(UTC),
    )


def _insert(store: Store, session: Session, made: Organisation) -> None:
    session.execute(insert(OrganisationRow).values(**made.model_dump()))
    letterheads.make(session, made.id)
    store.keys.add(session, made.id, DATA, made.created_at)
    store.keys.add(session, made.id, AUDIT, made.created_at)
    held = store.keys.of(session, made.id)
    if held is not None:
        chain.begin(session, held.audit)
