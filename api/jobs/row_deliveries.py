"""Stores rows as screenings and enqueues them for delivery, in the transaction of their chunk."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from api.deliveries import preview
from api.store.deliveries import outbox
from api.store.deliveries.outbox import NewDelivery
from api.store.errors import NotFoundError
from api.store.screenings import screenings
from api.store.screenings.scored_intake import ScoredIntake
from api.store.transaction import Transaction
from schemas.batches.batch import RowProblem
from schemas.organisations.profile import Profile
from schemas.patients.screening import Screening

NO_DESTINATION = "no_destination", "an existing destination: it was deleted"
INACTIVE = "inactive", "an active destination"
_NOT_SENT = {
    "amended": "a screening that was not amended: send the amendment",
    "entered_in_error": "a screening that was not entered in error",
    "sent_before": "a screening that was not yet sent to this destination",
}


class DeliverableRow(NamedTuple):
    """A row to store as a screening with this id, and to send."""

    number: int
    screening_id: str
    intake: ScoredIntake

    def build_screening(self, actor: str, now: datetime) -> Screening:
        """Return the screening that the row becomes."""
        return screenings.build_screening(self.intake, self.screening_id, actor, now)

    def build_problem(self, code: str, expected_value: str = "") -> RowProblem:
        """Return the problem for which the row is not sent."""
        return RowProblem(row=self.number, code=code, expected=expected_value or _NOT_SENT[code])


class _EnqueuedRow(NamedTuple):
    """A row that was enqueued; `is_new` if its screening was created with it."""

    screening: str
    is_new: bool
    delivery: str


def plan_enqueueing(
    destination: str,
    profile: Profile,
    rows: Iterable[DeliverableRow],
    problems: Iterable[RowProblem],
) -> Callable[[Transaction], dict[str, Any]]:
    """Return a function that stores and enqueues the rows, and returns the note of the chunk.

    A row that the batch has already sent to another destination keeps its screening.
    """

    def enqueue(work: Transaction) -> dict[str, Any]:
        is_active, row_problems = outbox.lock_active_state(work, destination), list(problems)
        enqueued: list[_EnqueuedRow] = []
        for row in rows:
            if not is_active:
                row_problems.append(
                    row.build_problem(*(NO_DESTINATION if is_active is None else INACTIVE))
                )
                continue
            result = _enqueue_row(work, destination, profile, row)
            if isinstance(result, _EnqueuedRow):
                enqueued.append(result)
            else:
                row_problems.append(result)
        _audit(work, enqueued)
        return build_delivery_note(len(enqueued), row_problems)

    return enqueue


def build_delivery_note(enqueued: int, problems: Iterable[RowProblem]) -> dict[str, Any]:
    """Return the note of a chunk: how many rows were enqueued, and the problems by row."""
    by_row = sorted(problems, key=lambda problem: problem.row)
    return {
        "enqueued": enqueued,
        "failed": [problem.row for problem in by_row],
        "problems": [problem.model_dump(exclude_none=True) for problem in by_row],
    }


def _enqueue_row(
    work: Transaction, destination: str, profile: Profile, row: DeliverableRow
) -> _EnqueuedRow | RowProblem:
    existing = _find_existing(work, row.screening_id)
    if existing is not None and existing.state != "final":
        return row.build_problem(existing.state)
    if outbox.has_result_delivery(work, destination, row.screening_id):
        return row.build_problem("sent_before")
    screening = existing or screenings.add_screening(
        work, row.intake, requested_id=row.screening_id
    )
    line = preview.determine_ordering_line(work, profile, screening.patient)
    delivery = outbox.enqueue_delivery(work, NewDelivery(destination, screening.id, "result", line))
    return _EnqueuedRow(screening.id, existing is None, delivery.id)


def _find_existing(work: Transaction, screening_id: str) -> Screening | None:
    try:
        return screenings.find_screening(work, screening_id)
    except NotFoundError:
        return None


def _audit(work: Transaction, rows: list[_EnqueuedRow]) -> None:
    """Audit last, so that the lock on the audit chain never waits for a destination's row."""
    for row in rows:
        work.audit("create" if row.is_new else "read", "screening", row.screening)
        work.audit("deliver", "delivery", row.delivery, outcome="enqueued")
