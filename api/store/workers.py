"""Workers: the processes that work on batches, each heard of every few seconds."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.tables import WorkerRow


def be_heard(session: Session, name: str, now: datetime, lost: datetime) -> list[str]:
    """Note that this one lives; the names of those not heard of since `lost`."""
    done: Any = session.execute(
        update(WorkerRow).where(col(WorkerRow.name) == name).values(seen_at=now)
    )
    if not done.rowcount:
        session.execute(insert(WorkerRow).values(name=name, seen_at=now))
    gone = session.execute(
        select(col(WorkerRow.name)).where(
            col(WorkerRow.seen_at) < lost, col(WorkerRow.name) != name
        )
    )
    return list(gone.scalars())


def forget(session: Session, names: list[str], lost: datetime) -> None:
    """Drop those whose work was taken over, but for who was heard of since."""
    session.execute(
        delete(WorkerRow).where(col(WorkerRow.name).in_(names), col(WorkerRow.seen_at) < lost)
    )
