"""Heartbeats of the worker processes that score batches."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.database.tables import WorkerRow


def record_heartbeat(session: Session, name: str, now: datetime, cutoff: datetime) -> None:
    """Record a heartbeat of this worker, and delete workers not seen since the cutoff."""
    statement = update(WorkerRow).where(col(WorkerRow.name) == name).values(seen_at=now)
    result: Any = session.execute(statement)
    if not result.rowcount:
        session.execute(insert(WorkerRow).values(name=name, seen_at=now))
    session.execute(delete(WorkerRow).where(col(WorkerRow.seen_at) < cutoff))


def list_live_workers(session: Session, cutoff: datetime) -> set[str]:
    """Return the names of the workers seen since the cutoff."""
    query = select(col(WorkerRow.name)).where(col(WorkerRow.seen_at) >= cutoff)
    return set(session.execute(query).scalars())
