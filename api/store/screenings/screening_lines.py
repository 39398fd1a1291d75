"""The line of a screening in lists: the words of the assessment that a list shows, encrypted.

So a page of a list opens no assessment, of which each is fifty times as long.
"""

import json
import zlib
from typing import Any

from sqlalchemy import case
from sqlmodel import col

from api.store.database.tables import ScreeningRow
from api.store.keys.field_encryption import FieldLocation
from api.store.screenings import screenings
from api.store.transaction import Transaction
from schemas.assessments.assessment import Assessment
from schemas.patients.patient import parse_stored_patient
from schemas.patients.screening import ScreeningListItem

LINE_COLUMNS: tuple[Any, ...] = (
    *(
        col(getattr(ScreeningRow, name))
        for name in ("id", "created_at", "replaces", "rulebook", "key_id", "patient", "line")
    ),
    case((col(ScreeningRow.line).is_(None), col(ScreeningRow.assessment))).label("assessment"),
)
"""The columns that `build_line` reads: the assessment only of rows without a line."""


def build_line(work: Transaction, row: Any) -> ScreeningListItem:
    """Return the line of a row with these columns and the conditions of its later events."""
    return ScreeningListItem(
        id=row.id,
        created_at=row.created_at,
        replaces=row.replaces,
        rescored_from=row.rescored_from,
        state=screenings.derive_state(replaced=row.replaced, in_error=row.in_error),
        patient=parse_stored_patient(_decrypt(work, row, "patient")),
        rulebook=row.rulebook,
        acknowledged=row.acknowledged,
        **_read_summary(work, row),
    )


def _read_summary(work: Transaction, row: Any) -> dict[str, Any]:
    if row.line is not None:
        summary: dict[str, Any] = json.loads(_decrypt(work, row, "line"))
        return summary
    content = zlib.decompress(_decrypt(work, row, "assessment"))
    return screenings.summarize_assessment(Assessment.model_validate_json(content))


def _decrypt(work: Transaction, row: Any, column: str) -> bytes:
    location = FieldLocation("screening", column, row.id)
    return work.data_keys.decrypt(row.key_id, location, getattr(row, column))
