"""The outbox: what is to be delivered, in order, until it is known to have arrived.

A delivery is enqueued in the transaction that makes it needed, and leaves it by being delivered,
parked for a person to look at, or cancelled. Nothing here sends: see `dispatch`.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast
from uuid import uuid4

from sqlalchemy import case, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from api.problems import Problem
from api.store.database.tables import AttemptRow, DeliveryRow, DestinationRow, ScreeningRow
from api.store.transaction import Transaction
from schemas.delivery import Attempt, Delivery, DeliveryLine, Event, State
from schemas.patient import KnownPatient

WHOLE = "-"
"""The line of a destination that takes everything in one order."""
OPEN = ("waiting", "under_way")
_LOOKED_AT = case((col(DestinationRow.lease_holder).is_(None), None),
                  else_=col(DestinationRow.lease_until))  # fmt: skip
"""Where nobody sends now, the destination is looked at anew."""
_NEVER_TAKEN = ("refused", "unfit")
_NOTHING_LEFT = ("unreachable", "unresolvable", "not_allowed", "no_tls")
"""How a try ends of which the receiver has not had a byte of the message."""


def control_id(delivery_id: str) -> str:
    """The number under which a receiver knows a delivery, however often it is sent."""
    return delivery_id.replace("-", "")[:20].upper()


def line_of(work: Transaction, patient: KnownPatient) -> str:
    """The line of one patient's deliveries."""
    return work.fingerprint(f"line\x1f{patient.reference}\x1f{patient.system or ''}".encode())


class Wanted(NamedTuple):
    """What is to be delivered where."""

    destination: str
    screening: str
    event: Event
    line: str


def takes(work: Transaction, destination_id: str) -> bool | None:
    """Whether the destination is active, held so until the transaction ends; None without one."""
    query = select(col(DestinationRow.active)).where(
        col(DestinationRow.organisation_id) == work.organisation,
        col(DestinationRow.id) == destination_id,
    )
    return work.session.execute(query.with_for_update()).scalar_one_or_none()


def went(work: Transaction, destination_id: str, screening: str) -> bool:
    """Whether this was put on its way there before, as a result."""
    return any(
        each.destination_id == destination_id and each.event == "result"
        for each in _of(work, screening)
    )


def enqueue(work: Transaction, wanted: Wanted) -> DeliveryLine:
    """Put it at the end of its destination's queue.

    Raises Problem `not_found` where there is no such destination or the screening was erased
    meanwhile, `conflict` where it is inactive or the same was enqueued there before.
    """
    seq = _next(work, wanted.destination)
    delivery_id = str(uuid4())
    row = {
        "organisation_id": work.organisation,
        "id": delivery_id,
        "destination_id": wanted.destination,
        "screening_id": wanted.screening,
        "event": wanted.event,
        "line": wanted.line,
        "seq": seq,
        "state": "waiting",
        "reason": "",
        "tries": 0,
        "errors": 0,
        "due_at": work.now,
        "created_at": work.now,
        "ended_at": None,
        "actor": work.actor.id,
        "key_id": work.key_id,
        "payload": None,
    }
    try:
        with work.session.begin_nested():
            work.session.execute(insert(DeliveryRow).values(**row))
    except IntegrityError:
        if not _is_kept(work, wanted.screening):
            raise Problem("not_found") from None
        again = "It was put on its way there already: send that delivery again instead."
        raise Problem("conflict", again) from None
    return line(_row(work, delivery_id))


def found(work: Transaction, delivery_id: str) -> Delivery:
    """The delivery with every try. Raises Problem `not_found`."""
    row = _row(work, delivery_id)
    return Delivery(**line(row).model_dump(), attempts=tuple(_attempts(work, row)))


def resend(work: Transaction, delivery_id: str) -> Delivery:
    """Try it again from the start, under the same number.

    Raises Problem `not_found`, and `conflict` where it is under way or waits already.
    """
    row = _row(work, delivery_id)
    if row.state in OPEN:
        raise Problem("conflict", "It waits to be sent already.")
    if not _active(work, row.destination_id):
        raise Problem("conflict", "The destination is not active.")
    _set(work, row, state="waiting", reason="", tries=0, errors=0, due_at=work.now, ended_at=None)
    work.session.execute(
        update(DestinationRow)
        .where(
            col(DestinationRow.organisation_id) == work.organisation,
            col(DestinationRow.id) == row.destination_id,
        )
        .values(lease_until=_LOOKED_AT)
    )
    return found(work, delivery_id)


def cancel(work: Transaction, delivery_id: str) -> Delivery:
    """Give it up; what had arrived before it was to be sent again has arrived still.

    Raises Problem `not_found`, and `conflict` where it is under way or arrived.
    """
    row = _row(work, delivery_id)
    if row.state in ("under_way", "delivered"):
        raise Problem("conflict", "It is under way, or has arrived already.")
    if any(each.outcome == "accepted" for each in _attempts(work, row)):
        _set(work, row, state="delivered", reason="", ended_at=work.now)
    elif row.state != "cancelled":
        _set(work, row, state="cancelled", reason="cancelled", ended_at=work.now)
    return found(work, delivery_id)


def replaced(work: Transaction, earlier: str, later: str) -> None:
    """Send a correction to wherever the screening that it corrects has gone."""
    made = []
    for row in _followed(work, earlier):
        event: Event = "replacement"
        if row.state == "waiting" and not _was_tried(work, row):
            _set(work, row, state="cancelled", reason="superseded", ended_at=work.now)
            event = cast("Event", row.event)
        elif row.state == "parked" and row.reason in _NEVER_TAKEN:
            event = cast("Event", row.event)
        made.append(enqueue(work, Wanted(row.destination_id, later, event, row.line)))
    _audit(work, made)


def withdrawn(work: Transaction, screening: str, replaced_by: str | None) -> None:
    """Take a screening back wherever it has gone, unless a correction took its place there."""
    corrected = {each.destination_id for each in _of(work, replaced_by)} if replaced_by else set()
    made = []
    for row in _followed(work, screening):
        if row.destination_id in corrected:
            continue
        if row.event == "result" and row.state == "waiting" and not _was_tried(work, row):
            _set(work, row, state="cancelled", reason="withdrawn", ended_at=work.now)
        elif not (row.state == "parked" and row.reason in _NEVER_TAKEN):
            wanted = Wanted(row.destination_id, screening, "withdrawal", row.line)
            made.append(enqueue(work, wanted))
    _audit(work, made)


def line(row: DeliveryRow) -> DeliveryLine:
    """A row as it is told."""
    return DeliveryLine(
        id=row.id,
        screening=row.screening_id,
        destination=row.destination_id,
        event=cast("Event", row.event),
        state=cast("State", row.state),
        reason=row.reason,
        control_id=control_id(row.id),
        tries=row.tries,
        due_at=row.due_at if row.state in OPEN else None,
        created_at=row.created_at,
        created_by=row.actor,
        ended_at=row.ended_at,
    )


def _next(work: Transaction, destination_id: str) -> int:
    """The next place in a queue; whoever comes after waits until this transaction has ended."""
    query = (
        update(DestinationRow)
        .where(
            col(DestinationRow.organisation_id) == work.organisation,
            col(DestinationRow.id) == destination_id,
        )
        .values(last_seq=col(DestinationRow.last_seq) + 1, lease_until=_LOOKED_AT)
        .returning(col(DestinationRow.last_seq), col(DestinationRow.active))
    )
    row = work.session.execute(query).one_or_none()
    if row is None:
        raise Problem("not_found")
    if not row.active:
        raise Problem("conflict", "The destination is not active.")
    return int(row.last_seq)


def _is_kept(work: Transaction, screening: str) -> bool:
    query = select(col(ScreeningRow.id)).where(
        col(ScreeningRow.organisation_id) == work.organisation, col(ScreeningRow.id) == screening
    )
    return work.session.execute(query).first() is not None


def _followed(work: Transaction, screening: str) -> list[DeliveryRow]:
    """What went, or is to go, to an active destination that wants to be told what comes later."""
    rows = [
        each
        for each in _of(work, screening)
        if each.event != "withdrawal" and (each.state != "cancelled" or _may_have_left(work, each))
    ]
    wanting = set(
        work.session.execute(
            select(col(DestinationRow.id)).where(
                col(DestinationRow.organisation_id) == work.organisation,
                col(DestinationRow.id).in_([each.destination_id for each in rows]),
                col(DestinationRow.active),
                col(DestinationRow.follows),
            )
        ).scalars()
    )
    return sorted(
        (each for each in rows if each.destination_id in wanting),
        key=lambda each: each.destination_id,  # in one order, so that none waits for another
    )


def _was_tried(work: Transaction, row: DeliveryRow) -> bool:
    """Whether it was ever tried; how often since it was last resent does not tell."""
    return any(_attempts(work, row))


def _may_have_left(work: Transaction, row: DeliveryRow) -> bool:
    """Whether the receiver may have it, as far as the tries tell."""
    return any(each.outcome not in _NOTHING_LEFT for each in _attempts(work, row))


def _audit(work: Transaction, made: list[DeliveryLine]) -> None:
    """Last of all: whoever holds the end of the audit waits for no row of a destination."""
    for each in made:
        work.audit("deliver", "delivery", each.id, outcome="enqueued")


def _of(work: Transaction, screening: str) -> list[DeliveryRow]:
    rows = work.session.execute(
        select(DeliveryRow)
        .where(
            col(DeliveryRow.organisation_id) == work.organisation,
            col(DeliveryRow.screening_id) == screening,
        )
        .order_by(col(DeliveryRow.seq))
    )
    return list(rows.scalars())


def _row(work: Transaction, delivery_id: str) -> DeliveryRow:
    row = work.session.execute(
        select(DeliveryRow).where(
            col(DeliveryRow.organisation_id) == work.organisation,
            col(DeliveryRow.id) == delivery_id,
        )
    ).scalar_one_or_none()
    if row is None:
        raise Problem("not_found")
    return row


def _active(work: Transaction, destination_id: str) -> bool:
    return bool(
        work.session.execute(
            select(col(DestinationRow.active)).where(
                col(DestinationRow.organisation_id) == work.organisation,
                col(DestinationRow.id) == destination_id,
            )
        ).scalar_one()
    )


def _set(work: Transaction, row: DeliveryRow, **values: Any) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    work.session.flush()


def _attempts(work: Transaction, row: DeliveryRow) -> Iterator[Attempt]:
    rows = work.session.execute(
        select(AttemptRow)
        .where(
            col(AttemptRow.organisation_id) == work.organisation,
            col(AttemptRow.delivery_id) == row.id,
        )
        .order_by(col(AttemptRow.number))
    ).scalars()
    for each in rows:
        reply = None
        if each.reply is not None:
            reply = work.open(each.key_id, "attempt", "reply", each.id, each.reply)
        yield Attempt(
            number=each.number,
            begun_at=each.begun_at,
            ended_at=each.ended_at,
            outcome=each.outcome,
            code=each.code,
            reply=None if reply is None else reply.decode("utf-8", "replace"),
        )
