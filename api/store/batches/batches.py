"""Batches: stored whole, tracked, cancelled, and deleted on expiry or erasure of a patient."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.problems import Problem
from api.store.batches import chunks as batch_chunks
from api.store.batches.chunks import SET_ASIDE, WAITING, ChunkContent, ChunkPosition
from api.store.database.tables import BatchChunkRow, BatchRow
from api.store.transaction import Transaction
from schemas.batch_job import BatchProgress, BatchState
from schemas.rights import PatientBatch

SCORE, REPORTS, DELIVERIES = "score", "reports", "deliveries"
HASH_BYTES = 32


class NewBatch(NamedTuple):
    """A batch to be created. `options` must not contain patient data."""

    kind: str
    rulebook: str
    rulebook_sha256: str
    options: dict[str, Any]
    parent: str | None = None


class StoredBatch(NamedTuple):
    """A stored batch without its rows."""

    id: str
    kind: str
    parent: str | None
    created_at: datetime
    expires_at: datetime
    cancelled_at: datetime | None
    rulebook: str
    rulebook_sha256: str
    options: dict[str, Any]
    rows: int
    chunks: int


class PendingBatch(NamedTuple):
    """A batch that is not yet queued for the workers."""

    organisation: str
    id: str
    chunks: int


def add_batch(
    work: Transaction,
    batch: NewBatch,
    chunks: Iterable[tuple[int, ChunkContent]],
    expires_at: datetime,
) -> StoredBatch:
    """Store a new batch. Each chunk comes with its number of rows."""
    batch_id = str(uuid4())
    row = {
        "organisation_id": work.organisation,
        "id": batch_id,
        "kind": batch.kind,
        "parent": batch.parent,
        "created_at": work.now,
        "expires_at": expires_at,
        "enqueued_at": None,
        "cancelled_at": None,
        "actor": work.actor.id,
        "means": work.actor.means,
        "rulebook": batch.rulebook,
        "rulebook_sha256": batch.rulebook_sha256,
        "options": json.dumps(batch.options),
        "rows": 0,
        "chunks": 0,
    }
    work.session.insert_row(BatchRow, row)
    rows = number = 0
    for count, content in chunks:
        position = ChunkPosition(batch_id, number, rows, count)
        work.session.insert_row(
            BatchChunkRow, batch_chunks.build_chunk_row(work, position, content)
        )
        rows, number = rows + count, number + 1
    work.session.execute(
        update(BatchRow).where(*_match_id(work, batch_id)).values(rows=rows, chunks=number)
    )
    return find_batch(work, batch_id, batch.kind)


def find_batch(work: Transaction, batch_id: str, kind: str) -> StoredBatch:
    """Return the batch. Raises Problem `not_found`."""
    return _find(work, batch_id, col(BatchRow.kind) == kind)


def find_child_batch(work: Transaction, parent: str, batch_id: str) -> StoredBatch:
    """Return a report or delivery batch made from this parent. Raises Problem `not_found`."""
    return _find(work, batch_id, col(BatchRow.parent) == parent)


def list_newest_batches(work: Transaction, limit: int) -> list[StoredBatch]:
    """Return the newest scoring batches."""
    rows = work.session.execute(
        select(BatchRow)
        .where(col(BatchRow.organisation_id) == work.organisation, col(BatchRow.kind) == SCORE)
        .order_by(col(BatchRow.created_at).desc(), col(BatchRow.id).desc())
        .limit(limit)
    ).scalars()
    return [_build_batch(row) for row in rows]


def compute_progress(work: Transaction, batch: StoredBatch) -> BatchProgress:
    """Return the state of the batch and its row counts."""
    counts = work.session.execute(
        select(
            col(BatchChunkRow.state),
            func.sum(col(BatchChunkRow.rows)).label("rows"),
            func.count().label("chunks"),
            func.max(col(BatchChunkRow.done_at)).label("last"),
        )
        .where(
            col(BatchChunkRow.organisation_id) == work.organisation,
            col(BatchChunkRow.batch_id) == batch.id,
        )
        .group_by(col(BatchChunkRow.state))
    ).all()
    by_state = {row.state: row for row in counts}
    waiting_counts = by_state.pop(WAITING, None)
    rows_done = sum(row.rows for row in by_state.values())
    state: BatchState = "running" if by_state else "waiting"
    if waiting_counts is None:
        state = "done"
    elif batch.cancelled_at is not None:
        state = "cancelled"
    last_done_at = max((row.last for row in by_state.values()), default=batch.created_at)
    return BatchProgress(
        state=state,
        rows=batch.rows,
        rows_done=rows_done,
        rows_set_aside=by_state[SET_ASIDE].rows if SET_ASIDE in by_state else 0,
        finished_at=last_done_at if state == "done" else None,
    )


def cancel_batch(work: Transaction, batch_id: str) -> None:
    """Cancel the batch and its report batches; finished chunks stay until the batch expires."""
    work.session.execute(
        update(BatchRow)
        .where(
            col(BatchRow.organisation_id) == work.organisation,
            (col(BatchRow.id) == batch_id) | (col(BatchRow.parent) == batch_id),
            col(BatchRow.cancelled_at).is_(None),
        )
        .values(cancelled_at=work.now)
    )


def delete_batches(work: Transaction, ids: Iterable[str]) -> None:
    """Delete batches with their rows and results."""
    for batch_id in ids:
        work.session.execute(delete(BatchRow).where(*_match_id(work, batch_id)))


def list_batch_ids_naming(work: Transaction, reference: str) -> list[str]:
    """Return the sorted ids of the batches that name a patient by this reference."""
    hashes = set(work.data_keys.compute_keyed_hashes("patient_index", reference))
    rows = work.session.execute(
        select(col(BatchChunkRow.batch_id), col(BatchChunkRow.patients)).where(
            col(BatchChunkRow.organisation_id) == work.organisation
        )
    )
    return sorted({row.batch_id for row in rows if hashes & _split_hashes(row.patients)})


def list_batches_for_export(work: Transaction, ids: Iterable[str]) -> Iterator[PatientBatch]:
    """Yield these batches as a patient data export lists them, oldest first."""
    rows = work.session.execute(
        select(BatchRow)
        .where(col(BatchRow.organisation_id) == work.organisation, col(BatchRow.id).in_(list(ids)))
        .order_by(col(BatchRow.created_at), col(BatchRow.id))
    ).scalars()
    for row in rows:
        yield PatientBatch.model_validate(
            {name: getattr(row, name) for name in PatientBatch.model_fields}
        )


def has_any_patient(work: Transaction, ids: Iterable[str], hashes: set[bytes]) -> bool:
    """Return whether one of these batches names a patient whose reference hash is in `hashes`."""
    if not hashes:
        return False
    rows = work.session.execute(
        select(col(BatchChunkRow.patients)).where(
            col(BatchChunkRow.organisation_id) == work.organisation,
            col(BatchChunkRow.batch_id).in_(list(ids)),
        )
    )
    return any(hashes & _split_hashes(row.patients) for row in rows)


def list_expired_batch_ids(session: Session, now: datetime) -> dict[str, list[str]]:
    """Return the ids of expired batches by organisation."""
    expired_ids: dict[str, list[str]] = {}
    for row in session.execute(
        select(col(BatchRow.organisation_id), col(BatchRow.id)).where(
            col(BatchRow.expires_at) <= now
        )
    ):
        expired_ids.setdefault(row.organisation_id, []).append(row.id)
    return expired_ids


def list_pending_batches(session: Session, *, include_enqueued: bool = False) -> list[PendingBatch]:
    """Return the batches not yet queued for the workers, of all organisations, oldest first.

    `again` returns every unfinished batch, for a workflow engine that may have lost its queue.
    """
    query = select(col(BatchRow.organisation_id), col(BatchRow.id), col(BatchRow.chunks))
    if include_enqueued:
        query = query.where(_has_waiting_chunk(), col(BatchRow.cancelled_at).is_(None))
    else:
        query = query.where(col(BatchRow.enqueued_at).is_(None)).limit(100)
    rows = session.execute(query.order_by(col(BatchRow.created_at)))
    return [PendingBatch(row.organisation_id, row.id, row.chunks) for row in rows]


def has_unfinished_batches(session: Session) -> bool:
    """Return whether any batch has work left."""
    row = session.execute(
        select(col(BatchRow.id))
        .where(_has_waiting_chunk(), col(BatchRow.cancelled_at).is_(None))
        .limit(1)
    ).first()
    return row is not None


def mark_enqueued(session: Session, batch: PendingBatch, now: datetime) -> None:
    """Record that the batch is queued for the workers."""
    session.execute(
        update(BatchRow)
        .where(col(BatchRow.organisation_id) == batch.organisation, col(BatchRow.id) == batch.id)
        .values(enqueued_at=now)
    )


def compute_expiry(now: datetime, days: int) -> datetime:
    """Return when a batch stored now expires."""
    return now + timedelta(days=days)


def _find(work: Transaction, batch_id: str, condition: Any) -> StoredBatch:
    row = work.session.execute(
        select(BatchRow).where(*_match_id(work, batch_id), condition)
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    return _build_batch(row)


def _has_waiting_chunk() -> Any:
    return exists().where(
        col(BatchChunkRow.organisation_id) == col(BatchRow.organisation_id),
        col(BatchChunkRow.batch_id) == col(BatchRow.id),
        col(BatchChunkRow.state) == WAITING,
    )


def _split_hashes(index: bytes) -> set[bytes]:
    return {index[start : start + HASH_BYTES] for start in range(0, len(index), HASH_BYTES)}


def _build_batch(row: BatchRow) -> StoredBatch:
    columns = {name: getattr(row, name) for name in StoredBatch._fields if name != "options"}
    return StoredBatch(**columns, options=json.loads(row.options))


def _match_id(work: Transaction, batch_id: str) -> tuple[Any, ...]:
    return col(BatchRow.organisation_id) == work.organisation, col(BatchRow.id) == batch_id
