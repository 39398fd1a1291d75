"""Invitations: one-time links by which a practitioner sets up login credentials."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.problems import Problem
from api.security.client_secrets import hash_secret
from api.security.totp import generate_totp_secret
from api.store.accounts.practitioners import build_practitioner
from api.store.accounts.practitioners import find_practitioner as practitioner_found
from api.store.database.tables import InvitationRow, OrganisationRow, PractitionerRow
from api.store.store import Store
from api.store.transaction import Transaction
from schemas.organisation import Practitioner
from schemas.sign_in import Invitation

TABLE = "invitation"
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
        "sha256": hash_secret(secret),
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
        "used_at": None,
        "actor": work.actor.id,
        "key_id": work.current_key_id,
        "totp": work.encrypt_field(TABLE, "totp", invitation.id, generate_totp_secret().encode()),
    }
    work.session.insert_row(InvitationRow, row)
    return invitation, secret


def look_up_open_invitation(store: Store, secret: str) -> OpenInvitation | None:
    """Return the invitation of this secret; None unless it can be accepted now."""
    with store.read_all_organisations() as session:
        row = session.execute(
            select(InvitationRow, PractitionerRow, col(OrganisationRow.name))
            .join(
                PractitionerRow,
                (col(PractitionerRow.organisation_id) == col(InvitationRow.organisation_id))
                & (col(PractitionerRow.id) == col(InvitationRow.practitioner_id)),
            )
            .join(OrganisationRow, col(OrganisationRow.id) == col(InvitationRow.organisation_id))
            .where(
                col(InvitationRow.sha256) == hash_secret(secret),
                col(InvitationRow.used_at).is_(None),
                col(InvitationRow.expires_at) > datetime.now(UTC),
                col(PractitionerRow.active),
                col(OrganisationRow.active),
            )
        ).one_or_none()
    if row is None:
        return None
    invitation, practitioner, organisation_name = row
    return OpenInvitation(
        invitation.organisation_id,
        organisation_name,
        invitation.id,
        build_practitioner(practitioner),
    )


def read_totp_secret(work: Transaction, invitation_id: str) -> str:
    """Return the TOTP secret for the authenticator app. Raises Problem `not_found`."""
    row = work.session.execute(
        select(InvitationRow).where(*_match_invitation(work, invitation_id))
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    return work.decrypt_field(row.key_id, TABLE, "totp", row.id, row.totp).decode()


def consume_invitation(work: Transaction, invitation_id: str) -> None:
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


def delete_expired_invitations(session: Session) -> None:
    """Delete the expired invitations of all organisations."""
    session.execute(delete(InvitationRow).where(col(InvitationRow.expires_at) < datetime.now(UTC)))


def _match_invitation(work: Transaction, invitation_id: str) -> tuple[Any, ...]:
    return (
        col(InvitationRow.organisation_id) == work.organisation,
        col(InvitationRow.id) == invitation_id,
    )
