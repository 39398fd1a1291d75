"""Acknowledgements of red flags in answers that were not sent yet.

When the answers are sent, what was acknowledged holds for the screening too.
"""

import json
from collections.abc import Iterable
from uuid import uuid4

from sqlmodel import col

from api.store.database.tables import DraftAcknowledgementRow
from api.store.errors import NotFoundError
from api.store.screenings import acknowledgements
from api.store.screenings.acknowledgements import FlagAction
from api.store.transaction import Transaction
from schemas.patients.screening import Acknowledgement, Screening
from schemas.text import accept_stored_text


def acknowledge_draft(
    work: Transaction, link_id: str, flags: Iterable[str], practitioner: str, action: FlagAction
) -> None:
    """Record that these red flags were dealt with. Raises NotFoundError without the link."""
    content = {
        "practitioner": practitioner,
        "done": action.action_taken,
        "reached": action.person_reached,
        "flags": sorted(flags),
    }
    row = {"id": str(uuid4()), "link_id": link_id, "at": work.now, "actor": work.actor.id}
    work.insert_unique(
        DraftAcknowledgementRow, row, NotFoundError(), content=json.dumps(content).encode()
    )


def carry_to_screening(work: Transaction, link_id: str, screening: Screening) -> Screening:
    """Return the screening of the answers, with what was done about their red flags before."""
    earlier = [entry for entry in list_acknowledged(work, link_id) if entry.flag]
    return acknowledgements.carry_over(work, screening, earlier) if earlier else screening


@accept_stored_text()
def list_acknowledged(work: Transaction, link_id: str) -> tuple[Acknowledgement, ...]:
    """Return what was done about the red flags of the answers under a link, flag by flag."""
    is_of_link = col(DraftAcknowledgementRow.link_id) == link_id
    query = work.select(DraftAcknowledgementRow).where(is_of_link)
    rows = work.list_rows(query.order_by(col(DraftAcknowledgementRow.at)))
    return tuple(
        Acknowledgement(
            id=row.id,
            at=row.at,
            by=row.actor,
            practitioner=content["practitioner"],
            done=content["done"],
            reached=content["reached"],
            flag=flag,
        )
        for row in rows
        for content in [json.loads(work.decrypt_column(row, "content"))]
        for flag in content["flags"] or [None]
    )
