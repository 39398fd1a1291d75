"""Issued reports, each stored encrypted as it was sent and identified by its SHA-256."""

import hashlib
from uuid import uuid4

from sqlalchemy import exists, select
from sqlmodel import col

from api.store.database.tables import ReportRow
from api.store.errors import NotFoundError
from api.store.store import Store
from api.store.transaction import Transaction


def add_issued_report(work: Transaction, screening_id: str, media_type: str, content: bytes) -> str:
    """Store a report, identical bytes once, and return its SHA-256. Raises NotFoundError."""
    sha256 = hashlib.sha256(content).hexdigest()
    if _is_stored(work, screening_id, sha256):
        return sha256
    row = {
        "id": str(uuid4()),
        "screening_id": screening_id,
        "sha256": sha256,
        "media_type": media_type,
        "issued_at": work.now,
        "actor": work.actor.id,
    }
    try:
        work.insert_unique(ReportRow, row, NotFoundError(), content=content)
    except NotFoundError:  # another request issued it just now, or the screening was erased
        if not _is_stored(work, screening_id, sha256):
            raise
    return sha256


def is_report_issued(store: Store, sha256: str) -> bool:
    """Return whether any organisation issued a report with this SHA-256."""
    return bool(store.look_up(select(exists().where(col(ReportRow.sha256) == sha256)))[0])


def _is_stored(work: Transaction, screening_id: str, sha256: str) -> bool:
    is_report = col(ReportRow.screening_id) == screening_id, col(ReportRow.sha256) == sha256
    return bool(work.count(ReportRow, *is_report))
