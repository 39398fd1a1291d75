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
from api.deliveries.compose_request import ComposeContext
from api.deliveries.screening_snapshot import ScreeningSnapshot
from api.documents.document_builder import PrintSettings, ReportSource
from api.intakes.reader import Submission, score_answers
from api.jobs.print_chunk import is_transient
from api.jobs.row_answers import RowAnswers, read_answered_rows, read_row_numbers
from api.jobs.row_deliveries import (
    INACTIVE,
    NO_DESTINATION,
    DeliverableRow,
    build_delivery_note,
    plan_enqueueing,
)
from api.jobs.score_chunk import find_rulebook
from api.problems import Problem
from api.store.accounts.organisations import SERVICE_ACTOR
from api.store.batches.chunks import SET_ASIDE, ChunkOutcome, ClaimedChunk
from api.store.deliveries import destinations
from api.store.errors import NotFoundError
from api.store.store import Store
from api.store.transaction import Actor
from schemas.batches.batch import PATIENT_REFERENCE, RowProblem
from schemas.organisations.profile import Profile
from schemas.patients.patient import KnownPatient
from schemas.patients.screening import ScreeningContext
from scoring.compiled_rulebook import LoadedRulebook

_NO_PATIENT = "a patient reference: a row without one is not stored or sent"
_BAD_PATIENT = "at most 200 printable characters on one line"
_FAILED = "could not be stored and sent after several tries; the row was set aside"


class BatchDestination(NamedTuple):
    """A destination and its profile; without a profile, why nothing can be sent to it."""

    destination: str
    profile: Profile | None
    code: str = ""
    expected_value: str = ""


class _Delivery(NamedTuple):
    """The context in which the rows of a chunk are delivered."""

    context: ComposeContext
    settings: PrintSettings
    profile: Profile
    loaded: LoadedRulebook
    task: ClaimedChunk


def load_destination(store: Store, options: dict[str, Any]) -> BatchDestination:
    """Load the destination of a batch in its present state."""
    target = options["destination"]
    with store.continue_read(
        Actor(options["organisation"], SERVICE_ACTOR.id, SERVICE_ACTOR.means)
    ) as work:
        try:
            destination = destinations.find_destination(work, target)
            profile = profiles.apply_options(destination.profile, destination.options)
        except NotFoundError:
            return BatchDestination(target, None, *NO_DESTINATION)
        except Problem:
            return BatchDestination(target, None, "profile", "options that the profile supports")
    return (
        BatchDestination(target, profile)
        if destination.active
        else BatchDestination(target, None, *INACTIVE)
    )


def prepare_deliveries(
    context: ComposeContext,
    settings: PrintSettings,
    receiver: BatchDestination,
    task: ClaimedChunk,
    tries: int,
) -> ChunkOutcome:
    """Prepare the delivery of a chunk. Raises if it fails and may be retried."""
    if task.tries > tries:
        return _refuse_all(task, "set_aside", _FAILED)._replace(state=SET_ASIDE)
    if receiver.profile is None:
        return _refuse_all(task, receiver.code, receiver.expected_value)
    loaded = find_rulebook(context.rulebooks, task.batch.rulebook)
    delivery = _Delivery(context, settings, receiver.profile, loaded, task)
    rows: list[DeliverableRow] = []
    problems: list[RowProblem] = []
    for row in read_answered_rows(task, loaded):
        try:
            prepared = _prepare_row(delivery, row)
        except Exception as error:
            if is_transient(error) or task.tries < tries:
                raise
            prepared = RowProblem(row=row.number, code="set_aside", expected=_FAILED)
        if isinstance(prepared, RowProblem):
            problems.append(prepared)
        else:
            rows.append(prepared)
    also = plan_enqueueing(receiver.destination, receiver.profile, rows, problems)
    return ChunkOutcome({}, b"", write_effects=also)


def _prepare_row(delivery: _Delivery, row: RowAnswers) -> DeliverableRow | RowProblem:
    """Return the row to store and send, or its problem, which never repeats an answer."""
    if row.reference is None or not row.reference.strip():
        return _patient_problem(row, _NO_PATIENT)
    try:
        patient = KnownPatient(reference=row.reference)
    except ValidationError:
        return _patient_problem(row, _BAD_PATIENT)
    intake = score_answers(
        delivery.loaded, row.answers, Submission(patient, ScreeningContext(), "batch")
    )
    prepared = DeliverableRow(row.number, _derive_screening_id(delivery.task, row.number), intake)
    return _find_misfit(delivery, prepared) or prepared


def _find_misfit(delivery: _Delivery, row: DeliverableRow) -> RowProblem | None:
    """Compose the message and return the first reason why the destination would refuse it."""
    screening = row.build_screening(delivery.task.batch.actor, datetime.now(UTC))
    subject = ScreeningSnapshot(
        ReportSource(screening, None, None), screening.id, 1, delivery.settings
    )
    message = preview.compose_for_preview(delivery.context, subject, delivery.profile)
    for misfit in message.misfits:
        expected_value = f"{misfit.place}: {misfit.detail}"
        return RowProblem(row=row.number, code=misfit.code, expected=expected_value)
    return None


def _derive_screening_id(task: ClaimedChunk, row: int) -> str:
    """Return the id of the one screening that a row of a batch becomes."""
    return str(uuid5(UUID(task.batch.parent), str(row)))


def _patient_problem(row: RowAnswers, expected_value: str) -> RowProblem:
    return RowProblem(
        row=row.number,
        column=PATIENT_REFERENCE,
        code=PATIENT_REFERENCE,
        expected=expected_value,
    )


def _refuse_all(task: ClaimedChunk, code: str, expected_value: str) -> ChunkOutcome:
    problems = [
        RowProblem(row=row, code=code, expected=expected_value) for row in read_row_numbers(task)
    ]
    return ChunkOutcome(build_delivery_note(0, problems), b"")
