"""Conditions on screenings: replaced, in error, acknowledged, of one instrument or patient.

What happens to an original applies to its rescorings: they hold the same answers.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from api.store.database.column_types import Instant
from api.store.database.tables import (
    AcknowledgementRow,
    EnteredInErrorRow,
    PatientMoveRow,
    RescoringRow,
    ScreeningRow,
)
from api.store.transaction import Transaction

_Replacing: Any = aliased(ScreeningRow)
_Link: Any = aliased(RescoringRow)
_Replacement: Any = aliased(ScreeningRow)
_OriginalError: Any = aliased(EnteredInErrorRow)
_IS_LINK_OF_SCREENING = and_(
    _Link.organisation_id == col(ScreeningRow.organisation_id),
    _Link.screening_id == col(ScreeningRow.id),
)
IS_REPLACED = or_(
    exists().where(
        _Replacing.organisation_id == col(ScreeningRow.organisation_id),
        _Replacing.replaces == col(ScreeningRow.id),
    ),
    exists().where(
        _IS_LINK_OF_SCREENING,
        _Replacement.organisation_id == _Link.organisation_id,
        _Replacement.replaces == _Link.original_id,
    ),
)
RESCORED_FROM = select(_Link.original_id).where(_IS_LINK_OF_SCREENING).scalar_subquery()
"""The id of the screening that one was rescored from, or null."""
FIRST_STORED_AT = func.coalesce(
    select(_Link.first_stored_at).where(_IS_LINK_OF_SCREENING).scalar_subquery(),
    col(ScreeningRow.created_at),
    type_=Instant(),
)
"""When the answers of a screening were first stored: of a rescored one, those of the original."""


def _has_event(
    table: type[AcknowledgementRow | EnteredInErrorRow | PatientMoveRow],
    *more_conditions: ColumnElement[bool],
) -> ColumnElement[bool]:
    return exists().where(
        col(table.organisation_id) == col(ScreeningRow.organisation_id),
        col(table.screening_id) == col(ScreeningRow.id),
        *more_conditions,
    )


IS_IN_ERROR = or_(
    _has_event(EnteredInErrorRow),
    exists().where(
        _IS_LINK_OF_SCREENING,
        _OriginalError.organisation_id == _Link.organisation_id,
        _OriginalError.screening_id == _Link.original_id,
    ),
)
IS_ACKNOWLEDGED = _has_event(AcknowledgementRow, col(AcknowledgementRow.settles_all).is_(True))
"""Every red flag was acknowledged, together or one by one."""
HAS_ACKNOWLEDGEMENTS = _has_event(AcknowledgementRow)
HAS_MOVES = _has_event(PatientMoveRow)
HAS_RESCORINGS = or_(
    exists().where(_IS_LINK_OF_SCREENING),
    exists().where(
        _Link.organisation_id == col(ScreeningRow.organisation_id),
        _Link.original_id == col(ScreeningRow.id),
    ),
)
"""It was rescored from another screening, or another from it."""
IS_IN_FORCE = and_(~IS_REPLACED, ~IS_IN_ERROR)
"""Neither replaced by a correction nor entered in error."""


def is_of_instrument(instrument: str) -> ColumnElement[bool]:
    """Return the condition for a screening by any version of this instrument."""
    return col(ScreeningRow.rulebook).startswith(f"{instrument}@", autoescape=True)


def is_of_patient(work: Transaction, reference: str, system: str | None) -> ColumnElement[bool]:
    """Return the condition for a screening of exactly this reference and system."""
    return and_(
        work.match_hash(ScreeningRow.patient_index, reference),
        work.match_hash(ScreeningRow.system_index, system),
    )
