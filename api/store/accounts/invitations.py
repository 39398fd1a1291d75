"""Invitations: one-time links by which a practitioner sets up login credentials."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import delete
from sqlalchemy.orm import Session
from sqlmodel import col

from api.security.client_secrets import hash_secret
from api.security.totp import generate_totp_secret
from api.store.accounts import grants
from api.store.accounts.practitioners import (
    build_practitioner,
    find_practitioner,
    select_of_active_practitioners,
)
from api.store.database.tables import InvitationRow, OrganisationRow, PractitionerRow
from api.store.errors import ConflictError, NotFoundError
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.organisations.organisation import Practitioner
from schemas.organisations.sign_in import Invitation

VALID_DAYS = 7


class OpenInvitation(NamedTuple):
    """An invitation that can be accepted now, with its practitioner and organisation."""

    organisation: str
    organisation_name: str
    id: str
    practitioner: Practitioner


def add_invitation(
    work: Transaction, practitioner_id: str, days: int = VALID_DAYS
) -> tuple[Invitation, str]:
    """Add an invitation in place of earlier ones.

    Raises NotFoundError, ConflictError, and GrantError for a practitioner with more scopes.
    """
    practitioner = find_practitioner(work, practitioner_id)
    if not practitioner.active or not practitioner.scopes:
        raise ConflictError("The practitioner is inactive or has no scopes.")
    grants.require_held_scopes(work, practitioner.scopes)
    work.delete(InvitationRow, col(InvitationRow.practitioner_id) == practitioner_id)
    secret = secrets.token_urlsafe(32)
    invitation = Invitation(
        id=str(uuid4()),
        practitioner=practitioner_id,
        created_at=work.now,
        expires_at=work.now + timedelta(days=days),
    )
    row = {
        "id": invitation.id,
        "practitioner_id": practitioner_id,
        "sha256": hash_secret(secret),
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
        "actor": work.actor.id,
    }
    work.insert(InvitationRow, row, totp=generate_totp_secret().encode())
    return invitation, secret


def look_up_open_invitation(store: Store, secret: str) -> OpenInvitation | None:
    """Return the invitation of this secret; None unless it can be accepted now."""
    query = select_of_active_practitioners(
        InvitationRow, InvitationRow, PractitionerRow, col(OrganisationRow.name)
    )
    row = store.look_up(
        query.where(
            col(InvitationRow.sha256) == hash_secret(secret),
            col(InvitationRow.used_at).is_(None),
            col(InvitationRow.expires_at) > datetime.now(UTC),
        )
    )
    if row is None:
        return None
    invitation, practitioner, name = row
    return OpenInvitation(
        invitation.organisation_id, name, invitation.id, build_practitioner(practitioner)
    )


def read_totp_secret(work: Transaction, invitation_id: str) -> str:
    """Return the TOTP secret for the authenticator app. Raises NotFoundError."""
    row = work.load_row(InvitationRow, invitation_id)
    return work.decrypt_column(row, "totp").decode()


def consume_invitation(work: Transaction, invitation_id: str) -> None:
    """Mark the invitation as used. Raises NotFoundError if it is used or expired."""
    is_open = col(InvitationRow.used_at).is_(None), col(InvitationRow.expires_at) > work.now
    values = {"used_at": work.now}
    if not work.update(InvitationRow, values, col(InvitationRow.id) == invitation_id, *is_open):
        raise NotFoundError


def delete_expired_invitations(session: Session) -> None:
    """Delete the expired invitations of all organisations."""
    session.execute(delete(InvitationRow).where(col(InvitationRow.expires_at) < datetime.now(UTC)))
