"""Failures of signing in: each try is counted first and taken back when it was right.

The more a way of trying has failed, the longer the next try waits, at most a quarter of an hour. A
way is a name from one address, or from a device that signed in by it before; beside them stands a
name from anywhere else, with far more tries. So a stranger makes others wait on devices that were
never used, for minutes, and nobody on their own. Names that nobody has are counted alike.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlmodel import col

from api.problems import Problem
from api.store.accounts.organisations import SYSTEM
from api.store.database.tables import FailureRow
from api.store.store import Store

FIRST_WAIT = 30
LONGEST_WAIT = 900
FORGOTTEN_AFTER = timedelta(days=1)


class Trying(NamedTuple):
    """One way of trying, by a keyed hash, and how many failures it has free."""

    hash: str
    free: int
    shared: bool = False


def take(store: Store, ways: list[Trying]) -> None:
    """Count one try in each way. Raises Problem `too_many`, counting none, where one must wait."""
    now = datetime.now(UTC)
    with store.across() as session:
        counts = [_count(session, each, now) for each in ways]
        for each, count in zip(ways, counts, strict=True):
            wait = wait_after(count + 1, each.free)
            session.execute(
                update(FailureRow)
                .where(*_is(each))
                .values(
                    count=count + 1,
                    last_at=now,
                    until=now + timedelta(seconds=wait) if wait else None,
                )
            )


def give_back(store: Store, ways: list[Trying]) -> None:
    """It was right: what one alone tries by is forgotten, what all share is as before."""
    with store.across() as session:
        for each in ways:
            if each.shared:
                less = update(FailureRow).where(*_is(each))
                session.execute(less.values(count=FailureRow.count - 1, until=None))
            else:
                session.execute(delete(FailureRow).where(*_is(each)))


def wait_after(count: int, free: int) -> int:
    """How many seconds the next try waits after so many failures."""
    if count < free:
        return 0
    return min(FIRST_WAIT << min(count - free, 10), LONGEST_WAIT)


def drop_forgotten(session: Session) -> None:
    """What failed long ago is forgotten."""
    long_ago = datetime.now(UTC) - FORGOTTEN_AFTER
    session.execute(delete(FailureRow).where(col(FailureRow.last_at) < long_ago))


def _count(session: Session, way: Trying, now: datetime) -> int:
    """The failures so far, held until the transaction ends."""
    values = {"organisation_id": SYSTEM, "way": way.hash, "count": 0, "last_at": now}
    try:
        with session.begin_nested():
            session.execute(insert(FailureRow).values(**values, until=None))
    except IntegrityError:
        pass
    row: Any = session.execute(select(FailureRow).where(*_is(way)).with_for_update()).scalar_one()
    if row.until is not None and row.until > now:
        seconds = int((row.until - now).total_seconds()) + 1
        raise Problem("too_many", headers={"Retry-After": str(seconds)})
    count: int = row.count
    return 0 if row.last_at < now - FORGOTTEN_AFTER else count


def _is(way: Trying) -> tuple[Any, ...]:
    return col(FailureRow.organisation_id) == SYSTEM, col(FailureRow.way) == way.hash
