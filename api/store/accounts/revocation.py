"""Revocation: ends sessions and invitations, which reactivation does not restore."""

from sqlmodel import col

from api.store.database.tables import InvitationRow, SessionRow
from api.store.transaction import Transaction


def revoke_access(work: Transaction, practitioner: str | None = None) -> None:
    """End the sessions and invitations of one practitioner, or of all in the organisation."""
    for table in (SessionRow, InvitationRow):
        is_named = () if practitioner is None else (col(table.practitioner_id) == practitioner,)
        work.delete(table, *is_named)
