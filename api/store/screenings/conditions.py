"""Conditions on screenings: replaced, in error, acknowledged, of one instrument or patient."""

from typing import Any

from sqlalchemy import ColumnElement, and_, exists
from sqlalchemy.orm import aliased
from sqlmodel import col

from api.store.database.tables import AcknowledgementRow, EnteredInErrorRow, ScreeningRow
from api.store.transaction import Transaction

_Replacing: Any = aliased(ScreeningRow)
IS_REPLACED = exists().where(
    _Replacing.organisation_id == col(ScreeningRow.organisation_id),
    _Replacing.replaces == col(ScreeningRow.id),
)


def _has_event(table: type[AcknowledgementRow | EnteredInErrorRow]) -> ColumnElement[bool]:
    return exists().where(
        col(table.organisation_id) == col(ScreeningRow.organisation_id),
        col(table.screening_id) == col(ScreeningRow.id),
    )


IS_IN_ERROR = _has_event(EnteredInErrorRow)
IS_ACKNOWLEDGED = _has_event(AcknowledgementRow)
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
