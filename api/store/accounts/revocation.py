"""Revocation: ends sessions and invitations, which reactivation does not restore."""

from sqlalchemy import delete
from sqlmodel import col

from api.store.database.tables import InvitationRow, SessionRow
from api.store.transaction import Transaction


def revoke_access(work: Transaction, practitioner: str | None = None) -> None:
    """End the sessions and invitations of one practitioner, or of all in the organisation."""
    for table in (SessionRow, InvitationRow):
        conditions = [col(table.organisation_id) == work.organisation]
        if practitioner is not None:
            conditions.append(col(table.practitioner_id) == practitioner)
        work.session.execute(delete(table).where(*conditions))
