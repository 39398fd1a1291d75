"""Pending batches of all organisations: those that the workers' queue does not hold yet."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.batches.chunks import WAITING
from api.store.database.tables import BatchChunkRow, BatchRow, match_reference


class PendingBatch(NamedTuple):
    """A batch that is not yet queued for the workers."""

    organisation: str
    id: str
    chunks: int


def list_pending_batches(session: Session, *, include_enqueued: bool = False) -> list[PendingBatch]:
    """Return the batches not queued, or with `include_enqueued` all unfinished.

    The organisations take turns, each with its oldest batch first: none waits until the many
    batches of another are queued.
    """
    query = select(col(BatchRow.organisation_id), col(BatchRow.id), col(BatchRow.chunks))
    if include_enqueued:
        query = query.where(_has_waiting_chunk(), col(BatchRow.cancelled_at).is_(None))
    else:
        query = query.where(col(BatchRow.enqueued_at).is_(None)).limit(100)
    turn = func.row_number().over(
        partition_by=col(BatchRow.organisation_id), order_by=col(BatchRow.created_at)
    )
    rows = session.execute(query.order_by(turn, col(BatchRow.created_at)))
    return [PendingBatch(row.organisation_id, row.id, row.chunks) for row in rows]


def has_unfinished_batches(session: Session) -> bool:
    """Return whether any batch has work left."""
    unfinished = exists().where(_has_waiting_chunk(), col(BatchRow.cancelled_at).is_(None))
    return bool(session.execute(select(unfinished)).scalar_one())


def mark_enqueued(session: Session, batch: PendingBatch, now: datetime) -> None:
    """Record that the batch is queued for the workers."""
    session.execute(
        update(BatchRow)
        .where(col(BatchRow.organisation_id) == batch.organisation, col(BatchRow.id) == batch.id)
        .values(enqueued_at=now)
    )


def _has_waiting_chunk() -> Any:
    is_of_batch = match_reference(BatchChunkRow.batch_id, BatchRow)
    return exists().where(is_of_batch, col(BatchChunkRow.state) == WAITING)
