"""Letterheads: what an organisation sets for its reports, one for each, made with it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.problems import Problem
from api.store.database.tables import LetterheadRow, OrganisationRow
from api.store.transaction import Transaction
from reports.view.heading import Letterhead


def make(session: Session, organisation: str) -> None:
    """The letterhead of a new organisation: its name alone, in English, by universal time."""
    plain = Letterhead()
    session.execute(
        insert(LetterheadRow).values(
            organisation_id=organisation,
            address="",
            logo=None,
            time_zone=plain.time_zone,
            locale=plain.language,
        )
    )


def of(session: Session, organisation: str) -> Letterhead:
    """The letterhead of this organisation, under its name. Raises Problem `not_found`."""
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
        raise Problem("not_found")
    return Letterhead(
        name=row.name,
        address=tuple(row.address.splitlines()),
        logo=row.logo,
        time_zone=row.time_zone,
        language=row.locale,
    )


def change(work: Transaction, changes: Mapping[str, Any]) -> Letterhead:
    """The letterhead with these of address, logo, time_zone and language changed.

    Raises ValueError (pydantic's) where one is not as a letterhead asks.
    """
    now = of(work.session, work.organisation)
    wanted = Letterhead.model_validate(now.model_dump() | dict(changes))
    work.session.execute(
        update(LetterheadRow)
        .where(col(LetterheadRow.organisation_id) == work.organisation)
        .values(
            address="\n".join(wanted.address),
            logo=wanted.logo,
            time_zone=wanted.time_zone,
            locale=wanted.language,
        )
    )
    return wanted
