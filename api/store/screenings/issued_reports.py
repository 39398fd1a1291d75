"""Issued reports, each stored encrypted as it was sent and identified by its SHA-256."""

import hashlib
from uuid import uuid4

from sqlalchemy import bindparam, exists, select
from sqlmodel import col

from api.store.database.tables import ReportRow
from api.store.errors import NotFoundError
from api.store.store import Store
from api.store.transaction import Transaction


def add_issued_report(work: Transaction, screening_id: str, media_type: str, content: bytes) -> str:
    """Store a report that is about to be sent and return its SHA-256.

    Identical bytes are stored once. Raises NotFoundError if the screening does not exist.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    if _is_stored(work, screening_id, sha256):
        return sha256
    report_id = str(uuid4())
    row = {
        "id": report_id,
        "screening_id": screening_id,
        "sha256": sha256,
        "media_type": media_type,
        "issued_at": work.now,
        "actor": work.actor.id,
        "key_id": work.current_key_id,
        "content": work.encrypt_field("report", "content", report_id, content),
    }
    try:
        work.insert_unique(ReportRow, row, NotFoundError())
    except NotFoundError:  # another request issued it just now, or the screening was erased
        if not _is_stored(work, screening_id, sha256):
            raise
    return sha256


def is_report_issued(store: Store, sha256: str) -> bool:
    """Return whether any organisation issued a report with this SHA-256.

    The query reads no column of the report.
    """
    with store.read_all_organisations() as session:
        return bool(session.execute(_IS_ISSUED, {"sha256": sha256}).scalar_one())


_IS_ISSUED = select(exists().where(col(ReportRow.sha256) == bindparam("sha256")))


def _is_stored(work: Transaction, screening_id: str, sha256: str) -> bool:
    is_report = col(ReportRow.screening_id) == screening_id, col(ReportRow.sha256) == sha256
    return bool(work.count(ReportRow, *is_report))
