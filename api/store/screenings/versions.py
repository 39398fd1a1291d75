"""Lineages: a screening with the ones that correct it, as one thing that has versions."""

from sqlalchemy import select
from sqlmodel import col

from api.problems import Problem
from api.store.database.tables import ScreeningRow
from api.store.screenings import screenings
from api.store.transaction import Transaction
from schemas.screening import Screening


def lineage(work: Transaction, first: str) -> list[Screening]:
    """The screening and each that corrects the one before it.

    Raises Problem `not_found` where there is none, or where it corrects another itself.
    """
    found = [screenings.found(work, first)]
    if found[0].replaces is not None:
        raise Problem("not_found")
    while (later := found[-1].replaced_by) is not None:
        found.append(screenings.found(work, later))
    return found


def first_of(work: Transaction, screening: str) -> str:
    """The id of the screening that this one, through however many others, corrects."""
    here, earlier = screening, _corrected_by(work, screening)
    while earlier is not None:
        here, earlier = earlier, _corrected_by(work, earlier)
    return here


def _corrected_by(work: Transaction, screening: str) -> str | None:
    return work.session.execute(
        select(col(ScreeningRow.replaces)).where(
            col(ScreeningRow.organisation_id) == work.organisation,
            col(ScreeningRow.id) == screening,
        )
    ).scalar_one_or_none()
