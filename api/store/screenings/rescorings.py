"""Screenings scored again under another version: a new, linked screening; the first one stays."""

from typing import NamedTuple

from sqlmodel import col

from api.store.database.tables import RescoringRow, ScreeningRow
from api.store.errors import ConflictError
from api.store.screenings import screenings
from api.store.screenings.conditions import IS_IN_FORCE
from api.store.screenings.scored_intake import ScoredIntake
from api.store.transaction import Transaction
from schemas.patients.screening import Screening


def require_rescorable(screening: Screening) -> None:
    """Raise ConflictError unless the screening is in force and was not itself rescored."""
    if screening.state == "entered_in_error":
        raise ConflictError("A screening entered in error cannot be rescored.")
    if screening.state == "amended":
        raise ConflictError("The screening has been amended. Rescore its replacement.")
    if screening.rescored_from is not None:
        raise ConflictError("The screening was itself rescored. Rescore the original.")


def add_rescoring(work: Transaction, original: Screening, intake: ScoredIntake) -> Screening:
    """Store a screening of the original's answers under another version, and return it.

    It replaces nothing. Raises ConflictError if the original cannot be rescored, or was rescored
    under this version already and that screening is in force.
    """
    require_rescorable(original)
    work.load_row(ScreeningRow, original.id, lock=True)
    if intake.assessment.rulebook in _list_rulebooks_in_force(work, original.id):
        raise ConflictError("The screening has already been rescored under this version.")
    rescored = screenings.add_screening(work, intake)
    link = {
        "screening_id": rescored.id,
        "original_id": original.id,
        "first_stored_at": original.created_at,
    }
    work.insert(RescoringRow, link)
    return rescored.model_copy(update={"rescored_from": original.id})


class StoredAssessment(NamedTuple):
    """A stored screening and the exact bytes of its assessment."""

    screening: Screening
    assessment_json: bytes


def list_screening_ids(work: Transaction, rulebook: str | None = None) -> list[str]:
    """Return the ids of the organisation's screenings, of one version if given, oldest first."""
    query = work.select(ScreeningRow.id)
    if rulebook is not None:
        query = query.where(col(ScreeningRow.rulebook) == rulebook, IS_IN_FORCE)
    query = query.order_by(col(ScreeningRow.created_at), col(ScreeningRow.id))
    return list(work.list_rows(query))


def find_stored_assessment(work: Transaction, screening_id: str) -> StoredAssessment:
    """Return a screening with its assessment as stored. Raises NotFoundError."""
    row = work.load_row(ScreeningRow, screening_id)
    return StoredAssessment(
        screenings.find_screening(work, screening_id), screenings.decrypt_assessment_json(work, row)
    )


def _list_rulebooks_in_force(work: Transaction, original_id: str) -> list[str]:
    rescored_ids = work.select(RescoringRow.screening_id).where(
        col(RescoringRow.original_id) == original_id
    )
    query = work.select(ScreeningRow.rulebook).where(
        col(ScreeningRow.id).in_(rescored_ids), IS_IN_FORCE
    )
    return list(work.list_rows(query))
