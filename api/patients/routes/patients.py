"""Routes to export, erase, merge and hold everything stored on a patient.

The patient reference stands in the request body, never in a URL.
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
    """A patient by reference, with the system if several systems use the reference."""

    reference: Reference
    system: Reference | None = Field(
        default=None,
        description="The system that issued the reference. Omitted: the patient with the reference "
        "in any system, or 409 if several systems use it. `null`: only the patient stored without "
        "a system.",
    )

    @property
    def person(self) -> Person:
        """The patient to look up."""
        without_system = self.system is None and "system" in self.model_fields_set
        return Person(self.reference, self.system, without_system)


class MergeWanted(Frozen):
    """The number to retire and the number that survives."""

    retired: PatientNamed
    survivor: PatientNamed


class HoldWanted(PatientNamed):
    """The patient to hold and the reason. Without a system the hold covers every system."""

    reason: Note


@router.delete(
    "",
    operation_id="erase_patient",
    responses=refusals(*TAKING, 404, 409),
    summary="Erase a patient",
)
def erase_patient(patient: PatientNamed, acts: Acting) -> Erased:
    """Erase everything stored on a patient, with reports. The audit stays; it has no content."""
    with acts.transaction() as work:
        erased = data_subject_rights.erase(work, patient.person)
        work.audit("erase", "patient", count=erased.screenings)
    acts.store.database.forget_erased()
    return erased


@router.post(
    "/export",
    operation_id="export_patient",
    responses=refusals(*TAKING, 404, 409),
    summary="Export everything stored on a patient",
)
def export_patient(patient: PatientNamed, acts: Acting) -> KeptOnPatient:
    """Return all screenings and reports in full, every hold, and every batch by its id."""
    with acts.transaction() as work:
        exported = data_subject_rights.export(work, patient.person)
        work.audit("export", "patient", count=len(exported.screenings))
    return exported


@router.post(
    "/merge",
    operation_id="merge_patients",
    responses=refusals(*TAKING, 404, 409),
    summary="Merge two patient numbers",
)
def merge_patients(wanted: MergeWanted, acts: Acting) -> Merged:
    """Move everything stored under the retired number, holds included, to the surviving number.

    Each screening records the number it was created under. Links continue under the surviving
    number. Batches stay as they were sent; they are counted, and erased with either number.
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
    """Block all erasure of the patient, on request or by retention, until the hold is released."""

    def place(work: Transaction) -> Answer:
        hold = legal_holds.place(work, wanted.person, wanted.reason)
        work.audit("hold", "legal_hold", hold.id)
        return Answer(201, hold.model_dump_json().encode())

    return creating.once(place)


@router.delete(
    "/holds/{hold}",
    operation_id="release_hold",
    status_code=204,
    responses=refusals(*GUARDED, 404),
    summary="Release a legal hold",
)
def release_hold(hold: HoldId, acts: Acting) -> None:
    """Release the hold. This erases nothing."""
    with acts.transaction() as work:
        legal_holds.release(work, hold)
        work.audit("release", "legal_hold", hold)
