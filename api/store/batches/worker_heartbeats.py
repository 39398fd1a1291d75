"""Workers: the processes that work on batches, each heard of every few seconds."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.database.tables import WorkerRow


def be_heard(session: Session, name: str, now: datetime, lost: datetime) -> None:
    """Note that this one lives, and forget those not heard of since `lost`."""
    done: Any = session.execute(
        update(WorkerRow).where(col(WorkerRow.name) == name).values(seen_at=now)
    )
    if not done.rowcount:
        session.execute(insert(WorkerRow).values(name=name, seen_at=now))
    session.execute(delete(WorkerRow).where(col(WorkerRow.seen_at) < lost))


def living(session: Session, lost: datetime) -> set[str]:
    """The names of those heard of since `lost`."""
    return set(
        session.execute(select(col(WorkerRow.name)).where(col(WorkerRow.seen_at) >= lost)).scalars()
    )
