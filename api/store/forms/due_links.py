"""The patients who are due to be screened again, by the links that they answered.

A day is cleared once the patient answers the same instrument under a later link, or once a
practitioner decides not to ask again. While a later link is open, the patient is not listed.
"""

from datetime import date, timedelta
from typing import Any

from sqlmodel import col

from api.store.database.tables import LinkRow
from api.store.forms import links
from api.store.transaction import Transaction
from schemas.patients.links import Link
from schemas.rulebooks.rulebook_name import RulebookName

MAX_DUE = 200


def set_due_day(work: Transaction, row: LinkRow) -> None:
    """Set the day of a link that was just answered, and clear those of its predecessors."""
    for earlier in _list_links_of_patient(work, row):
        if earlier.id != row.id:
            earlier.due_on = None
    row.due_on = (work.now + timedelta(days=row.ask_again_days)).date()
    work.session.flush()


def list_due_links(work: Transaction, until: date) -> tuple[Link, ...]:
    """Return the answered links whose patients are due by this day, most overdue first."""
    query = work.select(LinkRow).where(col(LinkRow.due_on) <= until)
    rows = work.list_rows(query.order_by(col(LinkRow.due_on), col(LinkRow.id)).limit(MAX_DUE))
    return tuple(links.find_link(work, row.id) for row in rows if not _has_open_link(work, row))


def dismiss_due_day(work: Transaction, link_id: str) -> None:
    """Decide not to ask this patient again. Raises NotFoundError."""
    work.load_row(LinkRow, link_id).due_on = None
    work.session.flush()


def _has_open_link(work: Transaction, row: LinkRow) -> bool:
    return any(
        links.derive_state(later, None, work.now) == "new"
        for later in _list_links_of_patient(work, row)
    )


def _list_links_of_patient(work: Transaction, row: LinkRow) -> list[Any]:
    """Return all links of the patient of this link, for the same instrument."""
    patient = links.decrypt_patient(work, row)
    instrument = RulebookName.parse(row.rulebook).instrument
    query = work.select(LinkRow).where(
        work.match_hash(LinkRow.patient_index, patient.reference),
        work.match_hash(LinkRow.system_index, patient.system),
        col(LinkRow.rulebook).startswith(f"{instrument}@", autoescape=True),
    )
    return list(work.list_rows(query))
