"""Delivering a chunk: answered rows in; each kept as a screening and put on its way, or why not.

All is worked out before, down to what the receiver would refuse. Kept and enqueued are the rows in
the transaction that lays the chunk down, under ids that follow from batch and row: however often
that is tried, and to however many destinations a batch goes, a row is one screening.
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
from api.store.accounts import organisations
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
    """A destination and its profile; or, without a profile, why nothing can be sent there."""

    destination: str
    profile: Profile | None
    code: str = ""
    why: str = ""


class _Way(NamedTuple):
    """How the rows of a chunk go."""

    house: House
    printed: Printed
    profile: Profile
    loaded: LoadedRulebook
    taken: Taken


def receiver_of(store: Store, options: dict[str, Any]) -> Receiver:
    """The destination that a batch goes to, as it is now."""
    destination, own = options["destination"], organisations.SERVICE
    with store.reading_on(Actor(options["organisation"], own.id, own.means)) as work:
        try:
            found = destinations.found(work, destination)
            profile = profiles.own(found.profile, found.options)
        except Problem as problem:
            gone = problem.code == "not_found"
            told = NO_DESTINATION if gone else ("profile", "the profile does not know its options")
            return Receiver(destination, None, *told)
    return (
        Receiver(destination, profile) if found.active else Receiver(destination, None, *INACTIVE)
    )


def deliver(
    house: House, printed: Printed, receiver: Receiver, taken: Taken, tries: int
) -> Outcome:
    """What comes of the chunk. Raises where it fails and may be tried again."""
    if taken.tries > tries:
        return _refused(taken, "set_aside", _FAILED)._replace(state=SET_ASIDE)
    if receiver.profile is None:
        return _refused(taken, receiver.code, receiver.why)
    loaded = rulebook_of(house.rulebooks, taken.batch.rulebook)
    way = _Way(house, printed, receiver.profile, loaded, taken)
    bound: list[SentRow] = []
    problems: list[RowProblem] = []
    for row in answered_rows(taken, loaded):
        try:
            made = _bound(way, row)
        except Exception as error:
            if is_passing(error) or taken.tries < tries:
                raise
            made = RowProblem(row=row.number, code="set_aside", expected=_FAILED)
        if isinstance(made, RowProblem):
            problems.append(made)
        else:
            bound.append(made)
    also = put_on_their_way(receiver.destination, receiver.profile, bound, problems)
    return Outcome({}, b"", also=also)


def _bound(way: _Way, row: AnsweredRow) -> SentRow | RowProblem:
    """The row as it will be kept and sent; or what is wrong with it, never what it holds."""
    if row.reference is None or not row.reference.strip():
        return _of_the_patient(row, _NO_PATIENT)
    try:
        patient = KnownPatient(reference=row.reference)
    except ValidationError:
        return _of_the_patient(row, _BAD_PATIENT)
    kept = kept_of(way.loaded, row.answers, Sent(patient, Context(), "batch"))
    made = SentRow(row.number, _screening_id(way.taken, row.number), kept)
    return _misfit(way, made) or made


def _misfit(way: _Way, row: SentRow) -> RowProblem | None:
    """Why the destination would not take it; found by making what would be sent."""
    screening = row.screening(way.taken.batch.actor, datetime.now(UTC))
    subject = Subject(Told(screening, None, None), screening.id, 1, way.printed)
    composed = preview.made(way.house, subject, "result", way.profile)
    for each in composed.misfits:
        return RowProblem(row=row.number, code=each.code, expected=f"{each.place}: {each.detail}")
    return None


def _screening_id(taken: Taken, row: int) -> str:
    """The id of the one screening that a row of a batch becomes."""
    return str(uuid5(UUID(taken.batch.parent), str(row)))


def _of_the_patient(row: AnsweredRow, expected: str) -> RowProblem:
    return RowProblem(
        row=row.number, column=PATIENT_REFERENCE, code=PATIENT_REFERENCE, expected=expected
    )


def _refused(taken: Taken, code: str, why: str) -> Outcome:
    """No row of the chunk goes anywhere."""
    problems = [RowProblem(row=each, code=code, expected=why) for each in numbers_of(taken)]
    return Outcome(told(0, problems), b"")
