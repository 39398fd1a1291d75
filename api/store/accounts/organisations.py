"""Organisations: added by the operator, changed by their own administrators."""

import contextlib
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlmodel import col

from api.security.keys import SigningAlgorithm
from api.security.scopes import SCOPES
from api.store.accounts import letterheads
from api.store.accounts.practitioners import revoke_access
from api.store.audit import chain
from api.store.database.tables import AuditRow, OrganisationRow
from api.store.database.tenancy import OrganisationSession
from api.store.errors import ConflictError, NotFoundError
from api.store.keys import signing_keys
from api.store.keys.organisation_keys import AUDIT_KIND, DATA_KIND
from api.store.store import Store
from api.store.transaction import Actor, Authority, Transaction
from schemas.organisations.organisation import Organisation, require_titles
from schemas.text import accept_stored_text

SYSTEM = "system"
"""The organisation whose audit chain holds the service's own acts and anonymous denials."""

FIRST_ORGANISATION_NAME = "Your practice"
"""The name of the first organisation until it is given its own."""

SERVICE_ACTOR = Actor(SYSTEM, "service", "service")
OPERATOR_ACTOR = Actor(
    SYSTEM,
    "command_line",
    "command_line",
    authority=Authority(frozenset(SCOPES), sys.maxsize),
)


def ensure_system_organisation(store: Store, algorithm: SigningAlgorithm) -> None:
    """Create the system organisation and the first signing key, unless they exist."""
    with store.read_all_organisations() as session:
        if has_organisation(session, SYSTEM):
            return
    with (
        contextlib.suppress(IntegrityError),
        store.write_all_organisations() as session,
    ):  # another process was faster
        _add_organisation(
            store, session, id=SYSTEM, name="nociscreen", test=False, retention_years=None
        )
        signing_keys.add_signing_key(session, store.key_ring, algorithm)
        store.join_transaction(session, SERVICE_ACTOR).audit("administer", "organisation", SYSTEM)


def add_organisation(
    store: Store, name: str, *, test: bool, retention_years: int | None = None
) -> Organisation:
    """Add an organisation with its own keys and audit chain."""
    with store.write_all_organisations() as session:
        return add_organisation_in(store, session, name, test=test, retention_years=retention_years)


def add_organisation_in(
    store: Store,
    session: OrganisationSession,
    name: str,
    *,
    test: bool,
    retention_years: int | None = None,
) -> Organisation:
    """Add an organisation within a larger transaction."""
    organisation = _add_organisation(
        store, session, id=f"o-{uuid4()}", name=name, test=test, retention_years=retention_years
    )
    for audited_id in (SYSTEM, organisation.id):
        actor = OPERATOR_ACTOR._replace(organisation=audited_id)
        store.join_transaction(session, actor).audit("administer", "organisation", organisation.id)
    return organisation


def list_organisations(session: Session) -> list[Organisation]:
    """Return all organisations except the system's own, oldest first."""
    rows = session.execute(
        select(OrganisationRow)
        .where(col(OrganisationRow.id) != SYSTEM)
        .order_by(col(OrganisationRow.created_at), col(OrganisationRow.id))
    ).scalars()
    return [_build_organisation(row) for row in rows]


def has_organisation(session: Session, organisation: str) -> bool:
    """Return whether there is an organisation with this id."""
    return _load_organisation(session, organisation) is not None


def list_missing_organisations(session: Session) -> list[str]:
    """Return the ids that the system's audit says were added and that have no row."""
    was_added = (
        col(AuditRow.organisation_id) == SYSTEM,
        col(AuditRow.action) == "administer",
        col(AuditRow.kind) == "organisation",
        col(AuditRow.target).not_in(select(col(OrganisationRow.id))),
    )
    return sorted(
        session.execute(select(col(AuditRow.target)).where(*was_added).distinct()).scalars()
    )


def find_own_organisation(work: Transaction) -> Organisation:
    """Return the organisation of the transaction. Raises NotFoundError."""
    organisation = _load_organisation(work.session, work.organisation)
    if organisation is None:
        raise NotFoundError
    return organisation


def update_organisation(work: Transaction, changes: Mapping[str, Any]) -> Organisation:
    """Update the organisation; a change of `active` ends all sessions and invitations.

    Raises ConflictError if anyone but the operator ends the need for a second approval.
    """
    before = find_own_organisation(work)
    require_titles(changes)
    ends_approval = before.second_approval and changes.get("second_approval") is False
    if ends_approval and work.actor.means != OPERATOR_ACTOR.means:
        raise ConflictError("Only the operator can end the need for a second person's approval.")
    if changes:
        is_own = col(OrganisationRow.id) == work.organisation
        work.session.execute(update(OrganisationRow).where(is_own).values(**changes))
    work.session.expire_all()
    updated = find_own_organisation(work)
    if updated.active != before.active:
        revoke_access(work)
    if before.active and not updated.active:
        work.withdraw("organisation", work.organisation)
    if updated.second_approval and not before.second_approval:
        work.withdraw("second_approval", work.organisation)
    if updated.retention_years != before.retention_years:
        work.withdraw("organisation_limit", f"retention_years {updated.retention_years or ''}")
    return updated


def _load_organisation(session: Session, organisation: str) -> Organisation | None:
    row = session.execute(
        select(OrganisationRow).where(col(OrganisationRow.id) == organisation)
    ).scalar_one_or_none()
    return _build_organisation(row) if row else None


@accept_stored_text()
def _build_organisation(row: OrganisationRow) -> Organisation:
    return Organisation(**row.model_dump(include=set(Organisation.model_fields)))


def _add_organisation(store: Store, session: Session, /, **columns: Any) -> Organisation:
    organisation = Organisation(active=True, created_at=datetime.now(UTC), **columns)
    session.execute(insert(OrganisationRow).values(**organisation.model_dump()))
    letterheads.add_letterhead(session, organisation.id)
    for kind in (DATA_KIND, AUDIT_KIND):
        store.organisation_keys.add_key(session, organisation.id, kind, organisation.created_at)
    keys = store.organisation_keys.load_keys(session, organisation.id)
    if keys is not None:
        chain.begin_chain(session, keys.audit)
    return organisation
