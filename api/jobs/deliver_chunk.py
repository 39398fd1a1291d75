"""Delivers a chunk: stores each answered row as a screening and enqueues it for a destination.

Everything is checked beforehand, including what the receiver would refuse. The rows are stored and
enqueued in the transaction that records the chunk. Their ids derive from batch and row, so a row
stays one screening however often the chunk is retried and however many destinations it is sent to.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from pydantic import ValidationError

from api.deliveries import preview, profiles
from api.deliveries.compose_request import House
from api.deliveries.screening_snapshot import Subject
from api.documents.document_builder import Printed, Told
from api.intakes.reader import Sent, kept_of
from api.jobs.print_chunk import is_passing
from api.jobs.row_answers import AnsweredRow, answered_rows, numbers_of
from api.jobs.row_deliveries import INACTIVE, NO_DESTINATION, SentRow, put_on_their_way, told
from api.jobs.score_chunk import rulebook_of
from api.problems import Problem
from api.store.accounts.organisations import SERVICE
from api.store.batches.chunks import SET_ASIDE, Outcome, Taken
from api.store.deliveries import destinations
from api.store.store import Store
from api.store.transaction import Actor
from schemas.batch import PATIENT_REFERENCE, RowProblem
from schemas.patient import KnownPatient
from schemas.profile import Profile
from schemas.screening import Context
from scoring.compiled_rulebook import LoadedRulebook

_NO_PATIENT = "a reference of the patient: a row without one is not kept, and so not sent"
_BAD_PATIENT = "at most 200 characters that can be read, in one line"
_FAILED = "could not be kept and sent, however often it was tried; it was set aside"


class Receiver(NamedTuple):
    """A destination and its profile; without a profile, why nothing can be sent to it."""

    destination: str
    profile: Profile | None
    code: str = ""
    why: str = ""


class _Delivery(NamedTuple):
    """The context in which the rows of a chunk are delivered."""

    context: House
    settings: Printed
    profile: Profile
    loaded: LoadedRulebook
    task: Taken


def receiver_of(store: Store, options: dict[str, Any]) -> Receiver:
    """Load the destination of a batch in its present state."""
    target = options["destination"]
    with store.reading_on(Actor(options["organisation"], SERVICE.id, SERVICE.means)) as work:
        try:
            destination = destinations.found(work, target)
            profile = profiles.own(destination.profile, destination.options)
        except Problem as problem:
            if problem.code == "not_found":
                return Receiver(target, None, *NO_DESTINATION)
            return Receiver(target, None, "profile", "the profile does not know its options")
    return Receiver(target, profile) if destination.active else Receiver(target, None, *INACTIVE)


def deliver(
    context: House, settings: Printed, receiver: Receiver, task: Taken, tries: int
) -> Outcome:
    """Prepare the delivery of a chunk. Raises if it fails and may be retried."""
    if task.tries > tries:
        return _refuse_all(task, "set_aside", _FAILED)._replace(state=SET_ASIDE)
    if receiver.profile is None:
        return _refuse_all(task, receiver.code, receiver.why)
    loaded = rulebook_of(context.rulebooks, task.batch.rulebook)
    delivery = _Delivery(context, settings, receiver.profile, loaded, task)
    rows: list[SentRow] = []
    problems: list[RowProblem] = []
    for row in answered_rows(task, loaded):
        try:
            prepared = _prepare_row(delivery, row)
        except Exception as error:
            if is_passing(error) or task.tries < tries:
                raise
            prepared = RowProblem(row=row.number, code="set_aside", expected=_FAILED)
        if isinstance(prepared, RowProblem):
            problems.append(prepared)
        else:
            rows.append(prepared)
    also = put_on_their_way(receiver.destination, receiver.profile, rows, problems)
    return Outcome({}, b"", also=also)


def _prepare_row(delivery: _Delivery, row: AnsweredRow) -> SentRow | RowProblem:
    """Return the row to store and send, or its problem, which never repeats an answer."""
    if row.reference is None or not row.reference.strip():
        return _patient_problem(row, _NO_PATIENT)
    try:
        patient = KnownPatient(reference=row.reference)
    except ValidationError:
        return _patient_problem(row, _BAD_PATIENT)
    intake = kept_of(delivery.loaded, row.answers, Sent(patient, Context(), "batch"))
    prepared = SentRow(row.number, _screening_id(delivery.task, row.number), intake)
    return _find_misfit(delivery, prepared) or prepared


def _find_misfit(delivery: _Delivery, row: SentRow) -> RowProblem | None:
    """Compose the message and return the first reason why the destination would refuse it."""
    screening = row.screening(delivery.task.batch.actor, datetime.now(UTC))
    subject = Subject(Told(screening, None, None), screening.id, 1, delivery.settings)
    composed = preview.made(delivery.context, subject, "result", delivery.profile)
    for misfit in composed.misfits:
        expected = f"{misfit.place}: {misfit.detail}"
        return RowProblem(row=row.number, code=misfit.code, expected=expected)
    return None


def _screening_id(task: Taken, row: int) -> str:
    """Return the id of the one screening that a row of a batch becomes."""
    return str(uuid5(UUID(task.batch.parent), str(row)))


def _patient_problem(row: AnsweredRow, expected: str) -> RowProblem:
    return RowProblem(
        row=row.number, column=PATIENT_REFERENCE, code=PATIENT_REFERENCE, expected=expected
    )


def _refuse_all(task: Taken, code: str, expected: str) -> Outcome:
    problems = [RowProblem(row=row, code=code, expected=expected) for row in numbers_of(task)]
    return Outcome(told(0, problems), b"")
