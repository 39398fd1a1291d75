"""Stores, changes and deletes FHIR responses in progress, as drafts of the client that sent them.

A client sees only its own drafts. Export, erasure, merges and legal holds cover those of all
clients.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store import idempotency
from api.store.database.tables import ResponseDraftRow
from api.store.errors import ConflictError
from api.store.forms.links import compute_indexes, decrypt_patient
from api.store.transaction import Transaction
from schemas.patients.patient import KnownPatient
from schemas.patients.response_drafts import DraftContent, ResponseDraft

RETENTION = timedelta(days=30)
"""How long a draft is retained after its last change."""
CREATE_ROUTE = "POST /fhir/QuestionnaireResponse"


def add_draft(
    work: Transaction, draft_id: str, patient: KnownPatient, content: DraftContent
) -> ResponseDraft:
    """Store a draft. Raises ConflictError if its id is taken."""
    row = {
        "id": draft_id,
        "actor": work.actor.id,
        "created_at": work.now,
        "changed_at": work.now,
        "number": 1,
        **compute_indexes(work, patient),
    }
    error = ConflictError("Another response has this identifier.")
    work.insert_unique(ResponseDraftRow, row, error, **_encode(patient, content))
    return find_draft(work, draft_id)


def replace_draft(
    work: Transaction, draft: ResponseDraft, patient: KnownPatient, content: DraftContent
) -> ResponseDraft:
    """Replace the content of a draft, and count the change."""
    _rewrite_row(work, _load_own_row(work, draft.id), patient, content)
    return find_draft(work, draft.id)


def find_draft(work: Transaction, draft_id: str) -> ResponseDraft:
    """Return a draft of the caller. Raises NotFoundError."""
    return build_draft(work, _load_own_row(work, draft_id))


def has_draft(work: Transaction, draft_id: str) -> bool:
    """Return whether any client of the organisation has a draft with this id."""
    return work.count(ResponseDraftRow, col(ResponseDraftRow.id) == draft_id) > 0


def list_own_drafts(work: Transaction, limit: int, *conditions: Any) -> list[ResponseDraft]:
    """Return the drafts of the caller, the latest changed first."""
    is_own = col(ResponseDraftRow.actor) == work.actor.id
    order = col(ResponseDraftRow.changed_at).desc(), col(ResponseDraftRow.id).desc()
    query = work.select(ResponseDraftRow).where(is_own, *conditions).order_by(*order)
    return [build_draft(work, row) for row in work.list_rows(query.limit(limit))]


def list_draft_rows(work: Transaction, *conditions: Any) -> Sequence[ResponseDraftRow]:
    """Return the rows of the drafts of all clients that match, the oldest first."""
    query = work.select(ResponseDraftRow).where(*conditions)
    return work.list_rows(query.order_by(col(ResponseDraftRow.created_at)))


def delete_drafts(work: Transaction, ids: Collection[str]) -> None:
    """Delete drafts and the stored answers to the requests that made them."""
    if not ids:
        return
    work.delete(ResponseDraftRow, col(ResponseDraftRow.id).in_(ids))
    idempotency.delete_responses_naming(work, CREATE_ROUTE, ids)


def reassign_draft(work: Transaction, row: ResponseDraftRow, patient: KnownPatient) -> None:
    """Assign a draft to another patient; the change makes a new version of it."""
    content = _decrypt_content(work, row).model_copy(update={"moved": True})
    _rewrite_row(work, row, patient, content)


def build_draft(work: Transaction, row: ResponseDraftRow) -> ResponseDraft:
    """Return the draft of a row, decrypted."""
    return ResponseDraft(
        **dict(_decrypt_content(work, row)),
        id=row.id,
        created_at=row.created_at,
        changed_at=row.changed_at,
        number=row.number,
        patient=decrypt_patient(work, row),
    )


def has_stale_drafts(session: Session, organisation: str) -> bool:
    """Return whether a draft is past its retention, on hold or not."""
    query = select(col(ResponseDraftRow.id)).where(
        col(ResponseDraftRow.organisation_id) == organisation,
        col(ResponseDraftRow.changed_at) < datetime.now(UTC) - RETENTION,
    )
    return session.execute(query.limit(1)).first() is not None


def list_stale_draft_ids(work: Transaction, held_indexes: set[bytes]) -> list[str]:
    """Return the ids of drafts past their retention, except of held patients."""
    query = work.select(ResponseDraftRow.id, col(ResponseDraftRow.patient_index))
    is_stale = col(ResponseDraftRow.changed_at) < work.now - RETENTION
    rows = work.session.execute(query.where(is_stale)).all()
    return [row.id for row in rows if row.patient_index not in held_indexes]


def _load_own_row(work: Transaction, draft_id: str) -> ResponseDraftRow:
    is_own = col(ResponseDraftRow.actor) == work.actor.id
    return work.load_row(ResponseDraftRow, draft_id, is_own)


def _rewrite_row(
    work: Transaction, row: ResponseDraftRow, patient: KnownPatient, content: DraftContent
) -> None:
    work.encrypt_row(row, _encode(patient, content), compute_indexes(work, patient))
    row.number, row.changed_at = row.number + 1, work.now
    work.session.flush()


def _decrypt_content(work: Transaction, row: ResponseDraftRow) -> DraftContent:
    return DraftContent.model_validate_json(work.decrypt_column(row, "content"))


def _encode(patient: KnownPatient, content: DraftContent) -> dict[str, bytes]:
    content_json = content.model_dump_json(include=set(DraftContent.model_fields))
    return {
        "patient": patient.model_dump_json(exclude_none=True).encode(),
        "content": content_json.encode(),
    }
