"""Organisations: added by the operator, changed by their own administrators."""

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
"""The organisation whose audit chain holds the service's own acts and anonymous denials."""

SERVICE = Actor(SYSTEM, "service", "service")
OPERATOR = Actor(SYSTEM, "command_line", "command_line")


def make_system(store: Store, algorithm: SigningAlgorithm) -> None:
    """Create the system organisation and the first signing key, unless they exist."""
    with store.glance() as session:
        if _load_organisation(session, SYSTEM) is not None:
            return
    with (
        contextlib.suppress(IntegrityError),
        store.across() as session,
    ):  # another process was faster
        _insert(
            store,
            session,
            _new_organisation(SYSTEM, "nociscreen", test=False, retention_years=None),
        )
        signing_keys.add_key(session, store.ring, algorithm)
        store.within(session, SERVICE).audit("administer", "organisation", SYSTEM)


def add(store: Store, name: str, *, test: bool, retention_years: int | None = None) -> Organisation:
    """Add an organisation with its own keys and audit chain."""
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
    """Add an organisation within a larger transaction."""
    organisation = _new_organisation(
        f"o-{uuid4()}", name, test=test, retention_years=retention_years
    )
    _insert(store, session, organisation)
    for audited_id in (SYSTEM, organisation.id):
        actor = OPERATOR._replace(organisation=audited_id)
        store.within(session, actor).audit("administer", "organisation", organisation.id)
    return organisation


def every(session: Session) -> list[Organisation]:
    """Return all organisations except the system's own, oldest first."""
    rows = session.execute(
        select(OrganisationRow)
        .where(col(OrganisationRow.id) != SYSTEM)
        .order_by(col(OrganisationRow.created_at), col(OrganisationRow.id))
    ).scalars()
    return [Organisation(**row.model_dump()) for row in rows]


def own(work: Transaction) -> Organisation:
    """Return the organisation of the transaction. Raises Problem `not_found`."""
    organisation = _load_organisation(work.session, work.organisation)
    if organisation is None:
        raise Problem("not_found")
    return organisation


def change(work: Transaction, changes: Mapping[str, Any]) -> Organisation:
    """Update any of name, test, active and retention_years.

    Deactivation and reactivation end all sessions and invitations.
    """
    before = own(work)
    if changes:
        work.session.execute(
            update(OrganisationRow)
            .where(col(OrganisationRow.id) == work.organisation)
            .values(**changes)
        )
    work.session.expire_all()
    updated = own(work)
    if updated.active != before.active:
        shut_out(work)
    return updated


def _load_organisation(session: Session, organisation: str) -> Organisation | None:
    row = session.execute(
        select(OrganisationRow).where(col(OrganisationRow.id) == organisation)
    ).scalar_one_or_none()
    return Organisation(**row.model_dump()) if row else None


def _new_organisation(
    organisation_id: str, name: str, *, test: bool, retention_years: int | None
) -> Organisation:
    return Organisation(
        id=organisation_id,
        name=name,
        test=test,
        active=True,
        retention_years=retention_years,
        created_at=datetime.now(UTC),
    )


def _insert(store: Store, session: Session, organisation: Organisation) -> None:
    session.execute(insert(OrganisationRow).values(**organisation.model_dump()))
    letterheads.make(session, organisation.id)
    store.keys.add(session, organisation.id, DATA, organisation.created_at)
    store.keys.add(session, organisation.id, AUDIT, organisation.created_at)
    keys = store.keys.of(session, organisation.id)
    if keys is not None:
        chain.begin(session, keys.audit)
