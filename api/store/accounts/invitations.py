"""Invitations: one-time links by which a practitioner sets up login credentials."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.problems import Problem
from api.security.client_secrets import hashed
from api.security.totp import new_totp
from api.store.accounts.practitioners import found as practitioner_found
from api.store.accounts.practitioners import told
from api.store.database.tables import InvitationRow, OrganisationRow, PractitionerRow
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.organisation import Practitioner
from schemas.sign_in import Invitation

TABLE = "invitation"
DAYS = 7


class Invited(NamedTuple):
    """An invitation that can be accepted now, with its practitioner and organisation."""

    organisation: str
    organisation_name: str
    id: str
    practitioner: Practitioner


def make(work: Transaction, practitioner_id: str, days: int = DAYS) -> tuple[Invitation, str]:
    """Add an invitation and return it with its secret; earlier ones of the practitioner end.

    Raises Problem `not_found`, and `conflict` for a practitioner who is inactive or has no scopes.
    """
    practitioner = practitioner_found(work, practitioner_id)
    if not practitioner.active or not practitioner.scopes:
        raise Problem("conflict", "The practitioner may do nothing: let them in, give scopes.")
    work.session.execute(
        delete(InvitationRow).where(
            col(InvitationRow.organisation_id) == work.organisation,
            col(InvitationRow.practitioner_id) == practitioner_id,
        )
    )
    secret = secrets.token_urlsafe(32)
    invitation = Invitation(
        id=str(uuid4()),
        practitioner=practitioner_id,
        created_at=work.now,
        expires_at=work.now + timedelta(days=days),
    )
    row = {
        "organisation_id": work.organisation,
        "id": invitation.id,
        "practitioner_id": practitioner_id,
        "sha256": hashed(secret),
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
        "used_at": None,
        "actor": work.actor.id,
        "key_id": work.key_id,
        "totp": work.seal(TABLE, "totp", invitation.id, new_totp().encode()),
    }
    work.session.put(InvitationRow, row)
    return invitation, secret


def open_now(store: Store, secret: str) -> Invited | None:
    """Return the invitation of this secret; None unless it can be accepted now."""
    with store.glance() as session:
        row = session.execute(
            select(InvitationRow, PractitionerRow, col(OrganisationRow.name))
            .join(
                PractitionerRow,
                (col(PractitionerRow.organisation_id) == col(InvitationRow.organisation_id))
                & (col(PractitionerRow.id) == col(InvitationRow.practitioner_id)),
            )
            .join(OrganisationRow, col(OrganisationRow.id) == col(InvitationRow.organisation_id))
            .where(
                col(InvitationRow.sha256) == hashed(secret),
                col(InvitationRow.used_at).is_(None),
                col(InvitationRow.expires_at) > datetime.now(UTC),
                col(PractitionerRow.active),
                col(OrganisationRow.active),
            )
        ).one_or_none()
    if row is None:
        return None
    invitation, practitioner, organisation_name = row
    return Invited(invitation.organisation_id, organisation_name, invitation.id, told(practitioner))


def totp_of(work: Transaction, invitation_id: str) -> str:
    """Return the TOTP secret for the authenticator app. Raises Problem `not_found`."""
    row = work.session.execute(
        select(InvitationRow).where(*_match_invitation(work, invitation_id))
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    return work.open(row.key_id, TABLE, "totp", row.id, row.totp).decode()


def use_up(work: Transaction, invitation_id: str) -> None:
    """Mark the invitation as used. Raises Problem `not_found` if it is used or expired."""
    result: Any = work.session.execute(
        update(InvitationRow)
        .where(
            *_match_invitation(work, invitation_id),
            col(InvitationRow.used_at).is_(None),
            col(InvitationRow.expires_at) > work.now,
        )
        .values(used_at=work.now)
    )
    if not result.rowcount:
        raise Problem("not_found")


def drop_expired(session: Session) -> None:
    """Delete the expired invitations of all organisations."""
    session.execute(delete(InvitationRow).where(col(InvitationRow.expires_at) < datetime.now(UTC)))


def _match_invitation(work: Transaction, invitation_id: str) -> tuple[Any, ...]:
    return (
        col(InvitationRow.organisation_id) == work.organisation,
        col(InvitationRow.id) == invitation_id,
    )
