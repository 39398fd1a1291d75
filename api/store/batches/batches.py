"""Batches: put in whole, looked at, cancelled, dropped when they expire or a patient is erased."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.problems import Problem
from api.store.batches import chunks as batche_chunks
from api.store.batches.chunks import SET_ASIDE, WAITING, Given, Where
from api.store.database.tables import BatchChunkRow, BatchRow
from api.store.transaction import Transaction
from schemas.batch_job import BatchState, Progress
from schemas.rights import NamedInBatch

SCORE, REPORTS, DELIVERIES = "score", "reports", "deliveries"
HASH_BYTES = 32


class Wanted(NamedTuple):
    """What is to be done with some rows. `options` hold nothing of a patient."""

    kind: str
    rulebook: str
    rulebook_sha256: str
    options: dict[str, Any]
    parent: str | None = None


class Kept(NamedTuple):
    """A batch as it was put in."""

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


class Waiting(NamedTuple):
    """A batch that nobody was told of yet."""

    organisation: str
    id: str
    chunks: int


def add(
    work: Transaction, wanted: Wanted, chunks: Iterable[tuple[int, Given]], expires_at: datetime
) -> Kept:
    """A new batch of chunks, each with how many rows it has; whole or not at all."""
    batch_id = str(uuid4())
    row = {
        "organisation_id": work.organisation,
        "id": batch_id,
        "kind": wanted.kind,
        "parent": wanted.parent,
        "created_at": work.now,
        "expires_at": expires_at,
        "enqueued_at": None,
        "cancelled_at": None,
        "actor": work.actor.id,
        "means": work.actor.means,
        "rulebook": wanted.rulebook,
        "rulebook_sha256": wanted.rulebook_sha256,
        "options": json.dumps(wanted.options),
        "rows": 0,
        "chunks": 0,
    }
    work.session.put(BatchRow, row)
    rows = number = 0
    for count, given in chunks:
        where = Where(batch_id, number, rows, count)
        work.session.put(BatchChunkRow, batche_chunks.sealed_row(work, where, given))
        rows, number = rows + count, number + 1
    work.session.execute(
        update(BatchRow).where(*_is(work, batch_id)).values(rows=rows, chunks=number)
    )
    return found(work, batch_id, wanted.kind)


def found(work: Transaction, batch_id: str, kind: str) -> Kept:
    """The batch. Raises Problem `not_found`."""
    return _found(work, batch_id, col(BatchRow.kind) == kind)


def reports_of(work: Transaction, parent: str, batch_id: str) -> Kept:
    """The reports, printed or delivered, of a batch. Raises Problem `not_found`."""
    return _found(work, batch_id, col(BatchRow.parent) == parent)


def newest(work: Transaction, most: int) -> list[Kept]:
    """The newest batches that were sent."""
    rows = work.session.execute(
        select(BatchRow)
        .where(col(BatchRow.organisation_id) == work.organisation, col(BatchRow.kind) == SCORE)
        .order_by(col(BatchRow.created_at).desc(), col(BatchRow.id).desc())
        .limit(most)
    ).scalars()
    return [_kept(row) for row in rows]


def progress(work: Transaction, batch: Kept) -> Progress:
    """How far it has come."""
    counted = work.session.execute(
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
    by_state = {row.state: row for row in counted}
    waiting = by_state.pop(WAITING, None)
    done = sum(row.rows for row in by_state.values())
    state: BatchState = "running" if by_state else "waiting"
    if waiting is None:
        state = "done"
    elif batch.cancelled_at is not None:
        state = "cancelled"
    last = max((row.last for row in by_state.values()), default=batch.created_at)
    return Progress(
        state=state,
        rows=batch.rows,
        rows_done=done,
        rows_set_aside=by_state[SET_ASIDE].rows if SET_ASIDE in by_state else 0,
        finished_at=last if state == "done" else None,
    )


def cancel(work: Transaction, batch_id: str) -> None:
    """Nothing more of it, or of its reports, is begun; what is done stays until it expires."""
    work.session.execute(
        update(BatchRow)
        .where(
            col(BatchRow.organisation_id) == work.organisation,
            (col(BatchRow.id) == batch_id) | (col(BatchRow.parent) == batch_id),
            col(BatchRow.cancelled_at).is_(None),
        )
        .values(cancelled_at=work.now)
    )


def drop(work: Transaction, ids: Iterable[str]) -> None:
    """Erase batches with all that was sent and made."""
    for each in ids:
        work.session.execute(delete(BatchRow).where(*_is(work, each)))


def naming(work: Transaction, reference: str) -> list[str]:
    """The ids of batches in which a patient is named by this reference."""
    wanted = set(work.keys.keyed("patient_index", reference))
    rows = work.session.execute(
        select(col(BatchChunkRow.batch_id), col(BatchChunkRow.patients)).where(
            col(BatchChunkRow.organisation_id) == work.organisation
        )
    )
    return sorted({row.batch_id for row in rows if wanted & _hashes(row.patients)})


def named_in(work: Transaction, ids: Iterable[str]) -> Iterator[NamedInBatch]:
    """What a patient is told of these batches, oldest first."""
    rows = work.session.execute(
        select(BatchRow)
        .where(col(BatchRow.organisation_id) == work.organisation, col(BatchRow.id).in_(list(ids)))
        .order_by(col(BatchRow.created_at), col(BatchRow.id))
    ).scalars()
    for row in rows:
        yield NamedInBatch.model_validate(
            {name: getattr(row, name) for name in NamedInBatch.model_fields}
        )


def naming_any(work: Transaction, ids: Iterable[str], hashes: set[bytes]) -> bool:
    """Whether one of these batches names a patient whose reference has one of these hashes."""
    if not hashes:
        return False
    rows = work.session.execute(
        select(col(BatchChunkRow.patients)).where(
            col(BatchChunkRow.organisation_id) == work.organisation,
            col(BatchChunkRow.batch_id).in_(list(ids)),
        )
    )
    return any(hashes & _hashes(row.patients) for row in rows)


def expired(session: Session, now: datetime) -> dict[str, list[str]]:
    """The ids of batches whose time is over, by organisation."""
    due: dict[str, list[str]] = {}
    for row in session.execute(
        select(col(BatchRow.organisation_id), col(BatchRow.id)).where(
            col(BatchRow.expires_at) <= now
        )
    ):
        due.setdefault(row.organisation_id, []).append(row.id)
    return due


def waiting(session: Session, *, again: bool = False) -> list[Waiting]:
    """Batches that no worker was told of yet, over all organisations, oldest first.

    `again`: every batch that is not done, for an engine that may have lost what it was told.
    """
    query = select(col(BatchRow.organisation_id), col(BatchRow.id), col(BatchRow.chunks))
    if again:
        query = query.where(_has_waiting_chunk(), col(BatchRow.cancelled_at).is_(None))
    else:
        query = query.where(col(BatchRow.enqueued_at).is_(None)).limit(100)
    rows = session.execute(query.order_by(col(BatchRow.created_at)))
    return [Waiting(row.organisation_id, row.id, row.chunks) for row in rows]


def unfinished(session: Session) -> bool:
    """Whether anything is still to be done."""
    row = session.execute(
        select(col(BatchRow.id))
        .where(_has_waiting_chunk(), col(BatchRow.cancelled_at).is_(None))
        .limit(1)
    ).first()
    return row is not None


def enqueued(session: Session, batch: Waiting, now: datetime) -> None:
    """The workers know of it."""
    session.execute(
        update(BatchRow)
        .where(col(BatchRow.organisation_id) == batch.organisation, col(BatchRow.id) == batch.id)
        .values(enqueued_at=now)
    )


def in_days(now: datetime, days: int) -> datetime:
    """When a batch that is put in now expires."""
    return now + timedelta(days=days)


def _found(work: Transaction, batch_id: str, which: Any) -> Kept:
    row = work.session.execute(
        select(BatchRow).where(*_is(work, batch_id), which)
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    return _kept(row)


def _has_waiting_chunk() -> Any:
    return exists().where(
        col(BatchChunkRow.organisation_id) == col(BatchRow.organisation_id),
        col(BatchChunkRow.batch_id) == col(BatchRow.id),
        col(BatchChunkRow.state) == WAITING,
    )


def _hashes(index: bytes) -> set[bytes]:
    return {index[start : start + HASH_BYTES] for start in range(0, len(index), HASH_BYTES)}


def _kept(row: BatchRow) -> Kept:
    told = {name: getattr(row, name) for name in Kept._fields if name != "options"}
    return Kept(**told, options=json.loads(row.options))


def _is(work: Transaction, batch_id: str) -> tuple[Any, ...]:
    return col(BatchRow.organisation_id) == work.organisation, col(BatchRow.id) == batch_id
