"""Routes to export, erase, merge and hold everything stored on a patient.

The patient reference is in the request body, never in a URL.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field

from api.auth.request_context import RequestContext
from api.auth.route_guard import require_scope
from api.dependencies import IdempotentRequestDep, RequestContextDep
from api.http.errors.error_responses import BODY_ERRORS, GUARDED_ERRORS, error_responses
from api.store import approvals
from api.store.idempotency import IdempotentResponse
from api.store.patients import data_subject_rights, legal_holds
from api.store.patients.patient_lookup import PatientSelector
from api.store.transaction import Transaction
from schemas.base import FrozenModel
from schemas.organisations.approvals import Approval, ErasureRequest, MergeRequest
from schemas.patients.patient import Note, Reference
from schemas.patients.rights import ErasureCounts, LegalHold, MergeCounts, PatientDataExport

router = APIRouter(
    prefix="/v1/patients", tags=["patients"], route_class=require_scope("patients:admin")
)
_AWAITS_APPROVAL: dict[int | str, dict[str, Any]] = {
    202: {"model": Approval, "description": "A second person must approve it"}
}
HoldId = Annotated[
    str,
    Path(
        alias="hold",
        pattern=r"^[0-9a-f-]{36}$",
        examples=["6f6f6f6f-0000-4000-8000-000000000002"],
    ),
]


class PatientIdentifier(FrozenModel):
    """A patient by reference, with the system if several systems use the reference."""

    reference: Reference
    system: Reference | None = Field(
        default=None,
        description="The system that issued the reference. Omitted: the patient with the reference "
        "in any system, or 409 if several systems use it. `null`: only the patient stored without "
        "a system.",
    )

    @property
    def selector(self) -> PatientSelector:
        """The patient to look up."""
        without_system = self.system is None and "system" in self.model_fields_set
        return PatientSelector(self.reference, self.system, without_system)


class NumberMerge(FrozenModel):
    """The number to retire and the number that survives."""

    retired: PatientIdentifier
    survivor: PatientIdentifier


class LegalHoldRequest(PatientIdentifier):
    """The patient to hold and the reason. Without a system the hold covers every system."""

    reason: Note


@router.delete(
    "",
    operation_id="erase_patient_by_delete",
    response_model=ErasureCounts,
    responses=error_responses(*BODY_ERRORS, 404, 409) | _AWAITS_APPROVAL,
    summary="Erase a patient, by the former operation",
    deprecated=True,
)
@router.post(
    "/erase",
    operation_id="erase_patient",
    response_model=ErasureCounts,
    responses=error_responses(*BODY_ERRORS, 404, 409) | _AWAITS_APPROVAL,
    summary="Erase a patient",
)
def erase_patient(patient: PatientIdentifier, context: RequestContextDep) -> Response:
    """Erase everything stored on a patient, with reports. The audit stays; it has no content.

    `DELETE /v1/patients` does the same, but some gateways drop the body of a DELETE.
    """
    request = ErasureRequest(patient=approvals.describe_selector(patient.selector))
    return _submit(context, request)


@router.post(
    "/export",
    operation_id="export_patient",
    responses=error_responses(*BODY_ERRORS, 404, 409),
    summary="Export everything stored on a patient",
)
def export_patient(patient: PatientIdentifier, context: RequestContextDep) -> PatientDataExport:
    """Return all screenings and reports in full, every hold, and every batch by its id."""
    with context.transaction() as work:
        exported = data_subject_rights.export_patient(work, patient.selector)
        work.audit("export", "patient", count=len(exported.screenings))
    return exported


@router.post(
    "/merge",
    operation_id="merge_patients",
    response_model=MergeCounts,
    responses=error_responses(*BODY_ERRORS, 404, 409) | _AWAITS_APPROVAL,
    summary="Merge two patient numbers",
)
def merge_patients(merge: NumberMerge, context: RequestContextDep) -> Response:
    """Move everything stored under the retired number, holds included, to the surviving number.

    Each screening records the number it was created under. Links continue under the surviving
    number. Batches stay as they were sent; they are counted, and erased with either number.
    """
    request = MergeRequest(
        retired=approvals.describe_selector(merge.retired.selector),
        survivor=approvals.describe_selector(merge.survivor.selector),
    )
    return _submit(context, request)


@router.post(
    "/holds",
    operation_id="place_hold",
    status_code=201,
    response_model=LegalHold,
    responses=error_responses(*BODY_ERRORS, 409),
    summary="Place a legal hold",
)
def place_hold(
    hold_request: LegalHoldRequest,
    idempotent_request: IdempotentRequestDep,
) -> Response:
    """Block all erasure of the patient, on request or by retention, until the hold is released."""

    def place(work: Transaction) -> IdempotentResponse:
        hold = legal_holds.place_hold(work, hold_request.selector, hold_request.reason)
        work.audit("hold", "legal_hold", hold.id)
        return IdempotentResponse(201, hold.model_dump_json().encode())

    return idempotent_request.run_once(place)


@router.delete(
    "/holds/{hold}",
    operation_id="release_hold",
    status_code=204,
    responses=error_responses(*GUARDED_ERRORS, 404),
    summary="Release a legal hold",
)
def release_hold(hold: HoldId, context: RequestContextDep) -> None:
    """Release the hold. This erases nothing."""
    with context.transaction() as work:
        legal_holds.release_hold(work, hold)
        work.audit("release", "legal_hold", hold)


def _submit(context: RequestContext, request: ErasureRequest | MergeRequest) -> Response:
    with context.transaction() as work:
        outcome = approvals.submit_request(work, request)
    context.store.database.truncate_wal()
    status = 202 if isinstance(outcome, Approval) else 200
    return Response(outcome.model_dump_json(), status, media_type="application/json")
