"""Login throttling: each attempt is counted before the check and taken back if it succeeds.

The more attempts of a counter have failed, the longer the next one must wait, up to 15 minutes. A
counter belongs to a login name from one address, or from a device that logged in with it before; a
shared counter for the name from anywhere else allows far more attempts. An attacker can therefore
delay a practitioner on a new device for minutes, but never on a known one. Unknown names are
counted in the same way.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.accounts.organisations import SYSTEM
from api.store.database.tables import FailureRow
from api.store.errors import TooManyAttemptsError
from api.store.store import Store

FIRST_WAIT_SECONDS = 30
MAX_WAIT_SECONDS = 900
FAILURE_RETENTION = timedelta(days=1)


class AttemptCounter(NamedTuple):
    """A counter of login attempts, by a keyed hash, with its number of free failures."""

    hash: str
    free_failures: int
    is_shared: bool = False


def record_attempt(store: Store, counters: list[AttemptCounter]) -> None:
    """Count an attempt in each counter. Raises TooManyAttemptsError, counting none, to throttle."""
    now = datetime.now(UTC)
    with store.write_all_organisations() as session:
        counters = sorted(counters)  # one locking order, so that no deadlock occurs
        counts = [_lock_count(session, way, now) for way in counters]
        for way, count in zip(counters, counts, strict=True):
            wait = compute_wait_seconds(count + 1, way.free_failures)
            until = now + timedelta(seconds=wait) if wait else None
            statement = update(FailureRow).where(*_match_counter(way))
            session.execute(statement.values(count=count + 1, last_at=now, until=until))


def clear_attempt(store: Store, counters: list[AttemptCounter]) -> None:
    """After a successful login, reset own counters and take the attempt off shared ones."""
    with store.write_all_organisations() as session:
        for way in counters:
            if way.is_shared:
                decrement = update(FailureRow).where(*_match_counter(way))
                session.execute(decrement.values(count=FailureRow.count - 1, until=None))
            else:
                session.execute(delete(FailureRow).where(*_match_counter(way)))


def compute_wait_seconds(count: int, free: int) -> int:
    """Return how many seconds the next attempt must wait after `count` failures."""
    if count < free:
        return 0
    return min(FIRST_WAIT_SECONDS << min(count - free, 10), MAX_WAIT_SECONDS)


def delete_old_failures(session: Session) -> None:
    """Delete the counters whose last failure is older than the retention."""
    cutoff = datetime.now(UTC) - FAILURE_RETENTION
    session.execute(delete(FailureRow).where(col(FailureRow.last_at) < cutoff))


def _lock_count(session: Session, way: AttemptCounter, now: datetime) -> int:
    values = {"organisation_id": SYSTEM, "way": way.hash, "count": 0, "last_at": now}
    with suppress(IntegrityError), session.begin_nested():
        session.execute(insert(FailureRow).values(**values))
    row: Any = session.execute(
        select(FailureRow).where(*_match_counter(way)).with_for_update()
    ).scalar_one()
    if row.until is not None and row.until > now:
        seconds = int((row.until - now).total_seconds()) + 1
        raise TooManyAttemptsError(retry_after=seconds)
    count: int = row.count
    return 0 if row.last_at < now - FAILURE_RETENTION else count


def _match_counter(way: AttemptCounter) -> tuple[Any, ...]:
    return col(FailureRow.organisation_id) == SYSTEM, col(FailureRow.way) == way.hash
