"""Practitioners of an organisation, who sign in or attest screenings."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

from sqlalchemy import Select, select
from sqlmodel import col

from api.security.scopes import expand_scopes, sort_known_scopes
from api.store.accounts import grants
from api.store.database.tables import (
    InvitationRow,
    OrganisationRow,
    PractitionerRow,
    SessionRow,
    match_reference,
)
from api.store.errors import ConflictError
from api.store.transaction import Transaction
from schemas.organisations.organisation import Practitioner, require_titles
from schemas.text import accept_stored_text

DEFAULT_PRACTITIONER_SCOPES = ("screenings:read", "screenings:write", "reports:read")
"""The default scopes of a practitioner who works with patients."""


def add_practitioner(  # noqa: PLR0913 - each member of a new practitioner
    work: Transaction,
    reference: str,
    name: str,
    scopes: Iterable[str],
    email: str | None = None,
    *,
    gets_alerts: bool = True,
) -> Practitioner:
    """Add a practitioner. Raises ConflictError for a used reference, ValueError, GrantError."""
    practitioner = Practitioner(
        id=f"p-{uuid4()}",
        reference=reference,
        name=name,
        scopes=sort_known_scopes(scopes),
        active=True,
        email=email,
        gets_alerts=gets_alerts,
        created_at=work.now,
    )
    grants.require_held_scopes(work, practitioner.scopes)
    values = practitioner.model_dump() | {"scopes": " ".join(practitioner.scopes)}
    conflict = ConflictError("A practitioner already has this reference.")
    work.insert_unique(PractitionerRow, values, conflict)
    return practitioner


def list_practitioners(work: Transaction) -> list[Practitioner]:
    """Return all practitioners of the organisation, oldest first."""
    query = work.select(PractitionerRow)
    rows = work.list_rows(query.order_by(col(PractitionerRow.created_at), col(PractitionerRow.id)))
    return [build_practitioner(row) for row in rows]


def find_practitioner(work: Transaction, practitioner_id: str) -> Practitioner:
    """Return the practitioner. Raises NotFoundError."""
    return build_practitioner(work.load_row(PractitionerRow, practitioner_id))


def update_practitioner(
    work: Transaction, practitioner_id: str, changes: Mapping[str, Any]
) -> Practitioner:
    """Update the members of these names; a change of active ends all access.

    Raises NotFoundError, ValueError and GrantError.
    """
    before = find_practitioner(work, practitioner_id)
    values = dict(changes)
    require_titles(values)
    if "scopes" in values:
        scopes = sort_known_scopes(values["scopes"])
        grants.require_held_scopes(work, scopes, before.scopes)
        values["scopes"] = " ".join(scopes)
    if values:
        work.update(PractitionerRow, values, col(PractitionerRow.id) == practitioner_id)
        work.session.expire_all()
    updated = find_practitioner(work, practitioner_id)
    if updated.active != before.active:
        revoke_access(work, practitioner_id)
    if before.active and not updated.active:
        work.withdraw("practitioner", practitioner_id)
    if not set(before.scopes) <= set(updated.scopes):
        work.withdraw("practitioner_scopes", " ".join((practitioner_id, *updated.scopes)))
    return updated


def revoke_access(work: Transaction, practitioner: str | None = None) -> None:
    """End the sessions and invitations of one practitioner, or of all in the organisation."""
    for table in (SessionRow, InvitationRow):
        is_named = () if practitioner is None else (col(table.practitioner_id) == practitioner,)
        work.delete(table, *is_named)


def select_of_active_practitioners(table: Any, *columns: Any) -> Select[Any]:
    """Return a query for the rows of a table that belong to active practitioners."""
    return (
        select(*columns)
        .join_from(table, PractitionerRow, match_reference(table.practitioner_id, PractitionerRow))
        .join(OrganisationRow, col(OrganisationRow.id) == table.organisation_id)
        .where(col(PractitionerRow.active), col(OrganisationRow.active))
    )


@accept_stored_text()
def build_practitioner(row: PractitionerRow) -> Practitioner:
    """Build the practitioner from its row."""
    values = row.model_dump(exclude={"organisation_id"})
    return Practitioner(**values | {"scopes": expand_scopes(row.scopes.split())})
