"""The versions of a screening: the first one and the corrections that follow it."""

from sqlalchemy import select
from sqlmodel import col

from api.problems import Problem
from api.store.database.tables import ScreeningRow
from api.store.screenings import screenings
from api.store.transaction import Transaction
from schemas.screening import Screening


def list_versions(work: Transaction, first: str) -> list[Screening]:
    """Return the screening and its successive corrections, first version first.

    Raises Problem `not_found` if it does not exist or is itself a correction.
    """
    versions = [screenings.find_screening(work, first)]
    if versions[0].replaces is not None:
        raise Problem("not_found")
    while (next_id := versions[-1].replaced_by) is not None:
        versions.append(screenings.find_screening(work, next_id))
    return versions


def find_first_version_id(work: Transaction, screening: str) -> str:
    """Return the id of the first version of this screening."""
    version, replaced_id = screening, _find_replaced_id(work, screening)
    while replaced_id is not None:
        version, replaced_id = replaced_id, _find_replaced_id(work, replaced_id)
    return version


def _find_replaced_id(work: Transaction, screening: str) -> str | None:
    return work.session.execute(
        select(col(ScreeningRow.replaces)).where(
            col(ScreeningRow.organisation_id) == work.organisation,
            col(ScreeningRow.id) == screening,
        )
    ).scalar_one_or_none()
