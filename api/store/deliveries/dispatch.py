"""Dispatch: one process at a time sends to a destination, and writes down each try before it.

A lease says who sends. Whoever ends without a word leaves a try of unknown outcome behind: when
the lease has run out, the same bytes go out again under the same number.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.database.tables import AttemptRow, DeliveryRow, DestinationRow, OrganisationRow
from api.store.deliveries.outbox import OPEN
from api.store.transaction import Transaction
from schemas.delivery import Event

_AHEAD = 1000
_REPLY_BYTES = 4096


class Waiting(NamedTuple):
    """A destination for which something is due."""

    organisation: str
    destination: str


class Taken(NamedTuple):
    """The delivery whose turn it is. `payload` is None until it was made for the first time."""

    id: str
    destination: str
    profile: str
    screening: str
    event: Event
    tries: int
    errors: int
    payload: bytes | None


class Ended(NamedTuple):
    """How a try ended, and what becomes of the delivery: `due_at` where it is to be tried again."""

    outcome: str
    code: str = ""
    reply: bytes = b""
    delivered: bool = False
    error: bool = False
    due_at: datetime | None = None


class Lease(NamedTuple):
    """Who sends, and for how long nobody else does."""

    holder: str
    seconds: float


def waiting(session: Session, now: datetime) -> list[Waiting]:
    """Every destination for which something is due or was left under way."""
    rows = session.execute(
        select(col(DeliveryRow.organisation_id), col(DeliveryRow.destination_id))
        .join(
            DestinationRow,
            (col(DestinationRow.organisation_id) == col(DeliveryRow.organisation_id))
            & (col(DestinationRow.id) == col(DeliveryRow.destination_id)),
        )
        .join(OrganisationRow, col(OrganisationRow.id) == col(DeliveryRow.organisation_id))
        .where(
            col(DeliveryRow.state).in_(OPEN),
            col(DeliveryRow.due_at) <= now,
            col(DestinationRow.active),
            col(OrganisationRow.active),
            or_(col(DestinationRow.lease_until).is_(None), col(DestinationRow.lease_until) <= now),
        )
        .distinct()
    )
    return [Waiting(*row) for row in rows]


def take(work: Transaction, destination: str, lease: Lease) -> Taken | None:
    """The delivery whose turn it is; None where there is none, or another process sends.

    What was left under way is told to have ended in an unknown way, and waits again.
    """
    row = work.session.execute(
        select(DestinationRow).where(*_is(work, destination)).with_for_update()
    ).scalar_one_or_none()
    if row is None or not row.active or not _free(row, lease, work.now):
        return None
    due, later = _due(work, destination)
    if due is None:  # nobody looks again before then, unless something new comes
        row.lease_holder, row.lease_until = None, later
        work.session.flush()
        return None
    row.lease_holder = lease.holder
    row.lease_until = work.now + timedelta(seconds=lease.seconds)
    work.session.flush()
    payload = None
    if due.payload is not None:
        payload = work.open(due.key_id, "delivery", "payload", due.id, due.payload)
    event = cast("Event", due.event)
    return Taken(
        due.id, destination, row.profile, due.screening_id, event, due.tries, due.errors, payload
    )


def made(work: Transaction, taken: Taken, payload: bytes) -> bool:
    """Keep what will be sent, the first time and every other. False where it was erased."""
    done: Any = work.session.execute(
        update(DeliveryRow)
        .where(*_of(work, taken), col(DeliveryRow.payload).is_(None))
        .values(payload=work.seal("delivery", "payload", taken.id, payload), key_id=work.key_id)
    )
    return bool(done.rowcount)


def begin(work: Transaction, taken: Taken, lease: Lease) -> int | None:
    """Write down that a try begins; its number. None where it is not ours to send any more."""
    held: Any = work.session.execute(
        update(DestinationRow)
        .where(*_is(work, taken.destination), col(DestinationRow.lease_holder) == lease.holder)
        .values(lease_until=work.now + timedelta(seconds=lease.seconds))
    )
    begun: Any = held.rowcount and work.session.execute(
        update(DeliveryRow)
        .where(*_of(work, taken), col(DeliveryRow.state) == "waiting")
        .values(state="under_way", tries=col(DeliveryRow.tries) + 1)
    )
    if not begun or not begun.rowcount:
        return None
    number = 1 + len(_attempts(work, taken.id))
    work.session.execute(
        insert(AttemptRow).values(
            organisation_id=work.organisation,
            id=f"{taken.id}.{number}",
            delivery_id=taken.id,
            number=number,
            begun_at=work.now,
            ended_at=None,
            outcome="begun",
            code="",
            key_id=work.key_id,
            reply=None,
        )
    )
    return number


def end(work: Transaction, taken: Taken, number: int | None, ended: Ended) -> bool:
    """Write down how a try ended. False where another process took it up meanwhile, or it is gone.

    `number` is None where nothing was tried: it could not be made.
    """
    if number is not None and not _end_attempt(work, taken, number, ended):
        return False
    values: dict[str, Any] = {"reason": "" if ended.delivered else ended.outcome}
    if ended.due_at is not None:
        values |= {"state": "waiting", "due_at": ended.due_at}
    else:
        values |= {"state": "delivered" if ended.delivered else "parked", "ended_at": work.now}
    if ended.error:
        values["errors"] = col(DeliveryRow.errors) + 1
    done: Any = work.session.execute(
        update(DeliveryRow)
        .where(*_of(work, taken), col(DeliveryRow.state).in_(OPEN))
        .values(**values)
    )
    return bool(done.rowcount)


def release(work: Transaction, destination: str, lease: Lease) -> None:
    """Let others send."""
    work.session.execute(
        update(DestinationRow)
        .where(*_is(work, destination), col(DestinationRow.lease_holder) == lease.holder)
        .values(lease_holder=None, lease_until=None)
    )


def _free(row: DestinationRow, lease: Lease, now: datetime) -> bool:
    ours = row.lease_holder in (None, lease.holder)
    return ours or row.lease_until is None or row.lease_until <= now


def _due(work: Transaction, destination: str) -> tuple[DeliveryRow | None, datetime | None]:
    """The first that is due of all that are first in their line; else when the next one is."""
    rows = work.session.execute(
        select(DeliveryRow)
        .where(
            col(DeliveryRow.organisation_id) == work.organisation,
            col(DeliveryRow.destination_id) == destination,
            col(DeliveryRow.state).in_(OPEN),
        )
        .order_by(col(DeliveryRow.seq))
        .limit(_AHEAD)
    ).scalars()
    seen: set[str] = set()
    later: datetime | None = None
    for row in rows:
        if row.line in seen:
            continue
        seen.add(row.line)
        if row.state == "under_way":
            _left_behind(work, row)
        if row.due_at <= work.now:
            return row, None
        later = min(later or row.due_at, row.due_at)
    return None, later


def _left_behind(work: Transaction, row: DeliveryRow) -> None:
    """Whoever sent it has ended: what became of it nobody knows."""
    work.session.execute(
        update(AttemptRow)
        .where(
            col(AttemptRow.organisation_id) == work.organisation,
            col(AttemptRow.delivery_id) == row.id,
            col(AttemptRow.ended_at).is_(None),
        )
        .values(ended_at=work.now, outcome="unknown")
    )
    row.state, row.due_at = "waiting", work.now
    work.session.flush()


def _end_attempt(work: Transaction, taken: Taken, number: int, ended: Ended) -> bool:
    name = f"{taken.id}.{number}"
    reply = ended.reply[:_REPLY_BYTES]
    done: Any = work.session.execute(
        update(AttemptRow)
        .where(
            col(AttemptRow.organisation_id) == work.organisation,
            col(AttemptRow.id) == name,
            col(AttemptRow.ended_at).is_(None),
        )
        .values(
            ended_at=work.now,
            outcome=ended.outcome,
            code=ended.code[:80],
            key_id=work.key_id,
            reply=work.seal("attempt", "reply", name, reply) if reply else None,
        )
    )
    return bool(done.rowcount)


def _attempts(work: Transaction, delivery: str) -> list[str]:
    rows = work.session.execute(
        select(col(AttemptRow.id)).where(
            col(AttemptRow.organisation_id) == work.organisation,
            col(AttemptRow.delivery_id) == delivery,
        )
    )
    return list(rows.scalars())


def _is(work: Transaction, destination: str) -> tuple[Any, ...]:
    return (
        col(DestinationRow.organisation_id) == work.organisation,
        col(DestinationRow.id) == destination,
    )


def _of(work: Transaction, taken: Taken) -> tuple[Any, ...]:
    return (
        col(DeliveryRow.organisation_id) == work.organisation,
        col(DeliveryRow.id) == taken.id,
    )
