"""Sent rows: kept as screenings and put on their way, in the transaction that lays a chunk down."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from api.deliveries import preview
from api.problems import Problem
from api.store.deliveries import outbox
from api.store.deliveries.outbox import Wanted
from api.store.screenings import screenings
from api.store.screenings.screenings import Kept
from api.store.transaction import Transaction
from schemas.batch import RowProblem
from schemas.profile import Profile
from schemas.screening import Screening

NO_DESTINATION = "no_destination", "a destination that is there: it was deleted"
INACTIVE = "inactive", "a destination that is active"
_NOT_SENT = {
    "amended": "a screening that no other replaces: send that one",
    "entered_in_error": "a screening that was not entered in error",
    "sent_before": "to be sent there once: it was put on its way there already",
}


class SentRow(NamedTuple):
    """A row that is to be kept, under this id, and sent."""

    number: int
    screening_id: str
    kept: Kept

    def screening(self, actor: str, now: datetime) -> Screening:
        """The screening that it becomes."""
        return screenings.new(self.kept, self.screening_id, actor, now)

    def problem(self, code: str, expected: str = "") -> RowProblem:
        """Why it is not sent."""
        return RowProblem(row=self.number, code=code, expected=expected or _NOT_SENT[code])


class _Done(NamedTuple):
    """What was done with one row, to be audited: what it became, and how it goes."""

    screening: str
    created: bool
    delivery: str


def put_on_their_way(
    destination: str, profile: Profile, rows: Iterable[SentRow], problems: Iterable[RowProblem]
) -> Callable[[Transaction], dict[str, Any]]:
    """Keeps these rows and enqueues them, whole or not at all; gives what is told of the chunk.

    A row that the batch kept on its way to another destination is the same screening.
    """

    def also(work: Transaction) -> dict[str, Any]:
        taken, wrong, done = outbox.takes(work, destination), list(problems), list[_Done]()
        for row in rows:
            if not taken:
                wrong.append(row.problem(*(NO_DESTINATION if taken is None else INACTIVE)))
                continue
            made = _sent(work, destination, profile, row)
            if isinstance(made, _Done):
                done.append(made)
            else:
                wrong.append(made)
        _audit(work, done)
        return told(len(done), wrong)

    return also


def told(enqueued: int, problems: Iterable[RowProblem]) -> dict[str, Any]:
    """What is told of a chunk: how many rows went, and why the others did not, by their number."""
    by_row = sorted(problems, key=lambda each: each.row)
    return {
        "enqueued": enqueued,
        "failed": [each.row for each in by_row],
        "problems": [each.model_dump(exclude_none=True) for each in by_row],
    }


def _sent(
    work: Transaction, destination: str, profile: Profile, row: SentRow
) -> _Done | RowProblem:
    before = _kept_before(work, row.screening_id)
    if before is not None and before.state != "final":
        return row.problem(before.state)
    if outbox.went(work, destination, row.screening_id):
        return row.problem("sent_before")
    screening = before or screenings.add(work, row.kept, named=row.screening_id)
    line = preview.line(work, profile, screening.patient)
    enqueued = outbox.enqueue(work, Wanted(destination, screening.id, "result", line))
    return _Done(screening.id, before is None, enqueued.id)


def _kept_before(work: Transaction, screening_id: str) -> Screening | None:
    try:
        return screenings.found(work, screening_id)
    except Problem as problem:
        if problem.code != "not_found":
            raise
        return None


def _audit(work: Transaction, done: list[_Done]) -> None:
    """Last of all: whoever holds the end of the audit waits for no row of a destination."""
    for each in done:
        work.audit("create" if each.created else "read", "screening", each.screening)
        work.audit("deliver", "delivery", each.delivery, outcome="enqueued")
