"""Batches: stored whole, tracked, cancelled, and deleted on expiry or erasure of a patient."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from math import ceil
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.batches import chunks as batch_chunks
from api.store.batches.chunk_content import ChunkContent
from api.store.batches.chunks import SET_ASIDE, WAITING
from api.store.database.tables import BatchChunkRow, BatchRow
from api.store.transaction import Transaction
from schemas.batches.batch_job import BatchProgress, BatchState
from schemas.patients.rights import PatientBatch

SCORE, REPORTS, DELIVERIES, EXPORT = "score", "reports", "deliveries", "export"
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


def add_batch(
    work: Transaction,
    batch: NewBatch,
    chunks: Iterable[tuple[int, ChunkContent]],
    expires_at: datetime,
) -> StoredBatch:
    """Store a new batch. Each chunk comes with its number of rows."""
    batch_id = str(uuid4())
    row = {
        "id": batch_id,
        "kind": batch.kind,
        "parent": batch.parent,
        "created_at": work.now,
        "expires_at": expires_at,
        "actor": work.actor.id,
        "means": work.actor.means,
        "rulebook": batch.rulebook,
        "rulebook_sha256": batch.rulebook_sha256,
        "options": json.dumps(batch.options),
        "rows": 0,
        "chunks": 0,
    }
    work.insert(BatchRow, row)
    rows = number = 0
    for count, content in chunks:
        position = {"batch_id": batch_id, "number": number, "rows_before": rows, "rows": count}
        batch_chunks.add_chunk(work, content, **position)
        rows, number = rows + count, number + 1
    work.update(BatchRow, {"rows": rows, "chunks": number}, col(BatchRow.id) == batch_id)
    return find_batch(work, batch_id, batch.kind)


def find_batch(work: Transaction, batch_id: str, kind: str) -> StoredBatch:
    """Return the batch. Raises NotFoundError."""
    return _build_batch(work.load_row(BatchRow, batch_id, col(BatchRow.kind) == kind))


def find_child_batch(work: Transaction, parent: str, batch_id: str) -> StoredBatch:
    """Return a report or delivery batch made from this parent. Raises NotFoundError."""
    return _build_batch(work.load_row(BatchRow, batch_id, col(BatchRow.parent) == parent))


def list_newest_batches(
    work: Transaction, limit: int, after: str | None = None
) -> list[StoredBatch]:
    """Return the newest scoring batches; those after one, by its id. Raises NotFoundError."""
    query = work.select(BatchRow).where(col(BatchRow.kind) == SCORE)
    if after is not None:
        last = find_batch(work, after, SCORE)
        created_at, number = col(BatchRow.created_at), col(BatchRow.id)
        is_older = created_at < last.created_at
        query = query.where(is_older | ((created_at == last.created_at) & (number < last.id)))
    rows = work.list_rows(
        query.order_by(col(BatchRow.created_at).desc(), col(BatchRow.id).desc()).limit(limit)
    )
    return [_build_batch(row) for row in rows]


def compute_progress(work: Transaction, batch: StoredBatch) -> BatchProgress:
    """Return the state of the batch and its row counts."""
    counts = work.session.execute(
        work.select(
            col(BatchChunkRow.state),
            func.sum(col(BatchChunkRow.rows)).label("rows"),
            func.count().label("chunks"),
            func.max(col(BatchChunkRow.done_at)).label("last"),
        )
        .where(col(BatchChunkRow.batch_id) == batch.id)
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
    rows_left = batch.rows - rows_done
    seconds_left = (
        ceil((work.now - batch.created_at).total_seconds() * rows_left / rows_done)
        if state == "running" and rows_done
        else None
    )
    last_done_at = max((row.last for row in by_state.values()), default=batch.created_at)
    return BatchProgress(
        state=state,
        rows=batch.rows,
        rows_done=rows_done,
        rows_set_aside=by_state[SET_ASIDE].rows if SET_ASIDE in by_state else 0,
        seconds_left=seconds_left,
        finished_at=last_done_at if state == "done" else None,
    )


def cancel_batch(work: Transaction, batch_id: str) -> None:
    """Cancel the batch and its report batches; finished chunks stay until the batch expires."""
    if cancel_batches(work, [batch_id]):
        work.withdraw("cancelled_batch", batch_id)


def cancel_batches(work: Transaction, ids: Collection[str]) -> int:
    """Cancel these batches and their report batches; return how many were not cancelled yet."""
    is_batch = col(BatchRow.id).in_(ids) | col(BatchRow.parent).in_(ids)
    is_running = col(BatchRow.cancelled_at).is_(None)
    return work.update(BatchRow, {"cancelled_at": work.now}, is_batch, is_running)


def delete_batches(work: Transaction, ids: Iterable[str]) -> None:
    """Delete batches with their rows and results."""
    for batch_id in ids:
        work.delete(BatchRow, col(BatchRow.id) == batch_id)


def list_batch_ids_naming(work: Transaction, references: Iterable[str]) -> list[str]:
    """Return the sorted ids of the batches that name a patient by one of these references."""
    hashes = {
        index
        for reference in references
        for index in work.data_keys.compute_keyed_hashes("patient_index", reference)
    }
    rows = work.session.execute(work.select(BatchChunkRow.batch_id, col(BatchChunkRow.patients)))
    return sorted({row.batch_id for row in rows if hashes & _split_hashes(row.patients)})


def list_batches_for_export(work: Transaction, ids: Iterable[str]) -> Iterator[PatientBatch]:
    """Yield these batches as a patient data export lists them, oldest first."""
    query = work.select(BatchRow).where(col(BatchRow.id).in_(list(ids)))
    rows = work.list_rows(query.order_by(col(BatchRow.created_at), col(BatchRow.id)))
    for row in rows:
        yield PatientBatch(**row.model_dump(include=set(PatientBatch.model_fields)))


def has_any_patient(work: Transaction, ids: Iterable[str], hashes: set[bytes]) -> bool:
    """Return whether one of these batches names a patient whose reference hash is in `hashes`."""
    if not hashes:
        return False
    query = work.select(BatchChunkRow.patients).where(col(BatchChunkRow.batch_id).in_(list(ids)))
    return any(hashes & _split_hashes(index) for index in work.list_rows(query))


def list_expired_batch_ids(session: Session, now: datetime) -> defaultdict[str, list[str]]:
    """Return the ids of expired batches by organisation."""
    expired_ids: defaultdict[str, list[str]] = defaultdict(list)
    query = select(col(BatchRow.organisation_id), col(BatchRow.id))
    for row in session.execute(query.where(col(BatchRow.expires_at) <= now)):
        expired_ids[row.organisation_id].append(row.id)
    return expired_ids


def compute_expiry(now: datetime, days: int) -> datetime:
    """Return when a batch stored now expires."""
    return now + timedelta(days=days)


def _split_hashes(index: bytes) -> set[bytes]:
    return {index[start : start + HASH_BYTES] for start in range(0, len(index), HASH_BYTES)}


def _build_batch(row: BatchRow) -> StoredBatch:
    columns = row.model_dump(include=set(StoredBatch._fields))
    return StoredBatch(**columns | {"options": json.loads(row.options)})
