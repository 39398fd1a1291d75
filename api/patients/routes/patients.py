"""The rights of patients: all that is kept on a person, given out, erased, or held from erasure.

The reference stands in the body, never in an address.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from api.auth.route_guard import guarded
from api.dependencies import Acting, Creating
from api.http.error_responses import GUARDED, TAKING, refusals
from api.problems import Problem
from api.store.idempotency import Answer
from api.store.patients import data_subject_rights, legal_holds, merges
from api.store.patients.patient_lookup import Person
from api.store.transaction import Transaction
from schemas.base import Frozen
from schemas.patient import Note, Reference
from schemas.rights import Erased, KeptOnPatient, LegalHold, Merged

router = APIRouter(prefix="/v1/patients", tags=["patients"], route_class=guarded("admin"))
HoldId = Annotated[
    str,
    Path(
        alias="hold",
        pattern=r"^[0-9a-f-]{36}$",
        examples=["6f6f6f6f-0000-4000-8000-000000000002"],
    ),
]


class PatientNamed(Frozen):
    """A person by the reference, and the system where several use it."""

    reference: Reference
    system: Reference | None = Field(
        default=None,
        description="Which system numbers so. Left out: whoever has the reference, and 409 where "
        "several systems use it. `null`: the patient who was kept without a system, and no other.",
    )

    @property
    def person(self) -> Person:
        """Whom it is about."""
        without = self.system is None and "system" in self.model_fields_set
        return Person(self.reference, self.system, without)


class MergeWanted(Frozen):
    """Which number is no more, and which one stays."""

    retired: PatientNamed
    survivor: PatientNamed


class HoldWanted(PatientNamed):
    """On whom a hold is placed, and why. Without a system it is on whoever has the reference."""

    reason: Note


@router.delete(
    "",
    operation_id="erase_patient",
    responses=refusals(*TAKING, 404, 409),
    summary="Erase a person",
)
def erase_patient(patient: PatientNamed, acts: Acting) -> Erased:
    """Everything kept on a person is erased, reports too. The audit stays, without content."""
    with acts.transaction() as work:
        erased = data_subject_rights.erase(work, patient.person)
        work.audit("erase", "patient", count=erased.screenings)
    acts.store.database.forget_erased()
    return erased


@router.post(
    "/export",
    operation_id="export_patient",
    responses=refusals(*TAKING, 404, 409),
    summary="Export all that is kept on a person",
)
def export_patient(patient: PatientNamed, acts: Acting) -> KeptOnPatient:
    """Every screening whole, every report as it was issued, every hold, every batch by its id."""
    with acts.transaction() as work:
        exported = data_subject_rights.export(work, patient.person)
        work.audit("export", "patient", count=len(exported.screenings))
    return exported


@router.post(
    "/merge",
    operation_id="merge_patients",
    responses=refusals(*TAKING, 404, 409),
    summary="Merge two numbers of a person",
)
def merge_patients(wanted: MergeWanted, acts: Acting) -> Merged:
    """All that is kept under the retired number goes over to the one that stays, holds too.

    Each screening remembers the number that it came under. Links go on under the number that
    stays. Batches stay as they were sent; they are counted, and erased with either number.
    """
    with acts.transaction() as work:
        merged = merges.merge(work, wanted.retired.person, wanted.survivor.person)
        if not any(dict(merged).values()):
            raise Problem("not_found")
        work.audit("merge", "patient", count=merged.screenings)
    return merged


@router.post(
    "/holds",
    operation_id="place_hold",
    status_code=201,
    response_model=LegalHold,
    responses=refusals(*TAKING, 409),
    summary="Place a legal hold",
)
def place_hold(
    wanted: HoldWanted,
    creating: Creating,
) -> Response:
    """From now on nothing of the person is erased, neither by wish nor by age."""

    def made(work: Transaction) -> Answer:
        hold = legal_holds.place(work, wanted.person, wanted.reason)
        work.audit("hold", "legal_hold", hold.id)
        return Answer(201, hold.model_dump_json().encode())

    return creating.once(made)


@router.delete(
    "/holds/{hold}",
    operation_id="release_hold",
    status_code=204,
    responses=refusals(*GUARDED, 404),
    summary="Release a legal hold",
)
def release_hold(hold: HoldId, acts: Acting) -> None:
    """The hold ends; nothing is erased by this."""
    with acts.transaction() as work:
        legal_holds.release(work, hold)
        work.audit("release", "legal_hold", hold)
