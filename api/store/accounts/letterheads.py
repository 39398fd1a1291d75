"""Letterheads: name, address, logo, language and time zone of an organisation's reports."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.database.tables import LetterheadRow, OrganisationRow
from api.store.errors import NotFoundError
from api.store.transaction import Transaction
from reports.view.heading import Letterhead
from schemas.text import accept_stored_text


def add_letterhead(session: Session, organisation: str) -> None:
    """Add the default letterhead of a new organisation: name only, in English and UTC."""
    default = Letterhead()
    session.execute(
        insert(LetterheadRow).values(
            organisation_id=organisation,
            address="",
            logo=None,
            time_zone=default.time_zone,
            locale=default.language,
        )
    )


@accept_stored_text()
def find_letterhead(session: Session, organisation: str) -> Letterhead:
    """Return the organisation's letterhead with its name. Raises NotFoundError."""
    row = session.execute(
        select(
            col(OrganisationRow.name),
            col(LetterheadRow.address),
            col(LetterheadRow.logo),
            col(LetterheadRow.time_zone),
            col(LetterheadRow.locale),
        )
        .join(OrganisationRow, col(OrganisationRow.id) == col(LetterheadRow.organisation_id))
        .where(col(LetterheadRow.organisation_id) == organisation)
    ).one_or_none()
    if row is None:
        raise NotFoundError
    return Letterhead(
        name=row.name,
        address=tuple(filter(None, row.address.split("\n"))),
        logo=row.logo,
        time_zone=row.time_zone,
        language=row.locale,
    )


def update_letterhead(work: Transaction, changes: Mapping[str, Any]) -> Letterhead:
    """Update any of address, logo, time_zone and language. Raises ValidationError."""
    current = find_letterhead(work.session, work.organisation)
    checked_changes = Letterhead.model_validate(dict(changes))
    updated = current.model_copy(update={name: getattr(checked_changes, name) for name in changes})
    values = {
        "address": "\n".join(updated.address),
        "logo": updated.logo,
        "time_zone": updated.time_zone,
        "locale": updated.language,
    }
    work.update(LetterheadRow, values)
    return updated
