"""Earlier screenings of the same patient and instrument, for the trend in a report.

A screening that was rescored is there once: as scored under the version of the report, at the
time of its answers.
"""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, or_, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import col

from api.store.database.tables import EnteredInErrorRow, RescoringRow, ScreeningRow
from api.store.screenings.conditions import (
    FIRST_STORED_AT,
    IS_IN_FORCE,
    RESCORED_FROM,
    is_of_instrument,
    is_of_patient,
)
from api.store.screenings.screenings import decrypt_assessment, decrypt_context
from api.store.transaction import Transaction
from schemas.assessments.assessment import Assessment
from schemas.patients.screening import Screening
from schemas.rulebooks.rulebook_name import RulebookName

MAX_EARLIER = 6
MAX_COMPARED = 100


class PriorScreening(NamedTuple):
    """One earlier screening, reduced to the parts that a trend shows."""

    created_at: datetime
    answered_on: date | None
    assessment: Assessment


def list_earlier_screenings(work: Transaction, screening: Screening) -> tuple[PriorScreening, ...]:
    """Return up to six earlier screenings of the instrument in force, oldest first."""
    rows = _list_earlier_rows(work, screening)
    return tuple(
        PriorScreening(
            first_stored_at,
            decrypt_context(work, row).answered_on,
            decrypt_assessment(work, row),
        )
        for row, first_stored_at in reversed(rows)
    )


def list_earlier_ids(work: Transaction, screening: Screening) -> list[str]:
    """Return the ids of up to 100 earlier screenings under the same version, newest first."""
    is_same_version = col(ScreeningRow.rulebook) == screening.assessment.rulebook
    rows = _list_earlier_rows(work, screening, is_same_version, limit=MAX_COMPARED)
    return [row.id for row, _ in rows]


def _list_earlier_rows(
    work: Transaction,
    screening: Screening,
    *more_conditions: ColumnElement[bool],
    limit: int = MAX_EARLIER,
) -> Sequence[Any]:
    patient, rulebook = screening.patient, screening.assessment.rulebook
    query: Any = work.select(ScreeningRow, FIRST_STORED_AT.label("first_stored_at"))
    return work.session.execute(
        query.where(
            is_of_patient(work, patient.reference, patient.system),
            is_of_instrument(RulebookName.parse(rulebook).instrument),
            tuple_(FIRST_STORED_AT, col(ScreeningRow.id))
            < tuple_(_find_first_stored_at(work, screening), screening.id),
            col(ScreeningRow.id) != (screening.rescored_from or ""),
            _stands_for_its_answers(rulebook),
            IS_IN_FORCE,
            *more_conditions,
        )
        .order_by(FIRST_STORED_AT.desc(), col(ScreeningRow.id).desc())
        .limit(limit)
    ).all()


def _find_first_stored_at(work: Transaction, screening: Screening) -> Any:
    row = work.find(RescoringRow, col(RescoringRow.screening_id) == screening.id)
    return row.first_stored_at if row else screening.created_at


@lru_cache(maxsize=64)
def _stands_for_its_answers(rulebook: str) -> ColumnElement[bool]:
    """Return the condition that no other screening tells the same answers better here."""
    link: Any = aliased(RescoringRow)
    rescored: Any = aliased(ScreeningRow)
    replacing: Any = aliased(ScreeningRow)
    error: Any = aliased(EnteredInErrorRow)
    is_rescored_here = exists().where(
        link.organisation_id == col(ScreeningRow.organisation_id),
        link.original_id == col(ScreeningRow.id),
        rescored.organisation_id == link.organisation_id,
        rescored.id == link.screening_id,
        rescored.rulebook.concat("") == rulebook,  # by its id, never by all of its version
        ~exists().where(
            replacing.organisation_id == rescored.organisation_id,
            replacing.replaces == rescored.id,
        ),
        ~exists().where(
            error.organisation_id == rescored.organisation_id,
            error.screening_id == rescored.id,
        ),
    )
    return or_(
        and_(RESCORED_FROM.is_(None), ~is_rescored_here),
        and_(RESCORED_FROM.is_not(None), col(ScreeningRow.rulebook) == rulebook),
    )
