"""Shutting out: what let somebody in before is good no more, also when they are let in again."""

from sqlalchemy import delete
from sqlmodel import col

from api.store.database.tables import InvitationRow, SessionRow
from api.store.transaction import Transaction


def shut_out(work: Transaction, practitioner: str | None = None) -> None:
    """End the sessions and invitations of one practitioner, or of all in the organisation."""
    for table in (SessionRow, InvitationRow):
        which = [col(table.organisation_id) == work.organisation]
        if practitioner is not None:
            which.append(col(table.practitioner_id) == practitioner)
        work.session.execute(delete(table).where(*which))
