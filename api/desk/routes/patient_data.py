"""Page of a patient's rights: export, legal holds, merging of numbers, erasure."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import TypeAdapter

from api.auth.services import find_services
from api.desk.access.session_guard import (
    CheckedFields,
    PractitionerPage,
    PractitionerPageDep,
    build_desk_route,
)
from api.desk.access.settings_access import APPROVALS_PATH, find_identity_faults, has_own_password
from api.desk.screenings.answer_form import is_valid_text, read_text
from api.store import approvals
from api.store.errors import ConflictError, LegalHoldError, NotFoundError
from api.store.patients import data_subject_rights, legal_holds
from api.store.patients.patient_lookup import PatientSelector
from api.web.page_route import FormFields, read_field
from api.web.security_headers import build_page_headers
from schemas.organisations.approvals import Approval, ErasureRequest, MergeRequest
from schemas.patients.patient import Note, Reference

PATIENT_DATA_PATH = "/desk/practice/patient-data"
HoldId = Annotated[str, Path(alias="hold", pattern=r"^[0-9a-f-]{36}$")]
_NOTE, _REFERENCE = TypeAdapter[Any](Note), TypeAdapter[Any](Reference)
_FIELDS = ("reference", "system", "survivor", "reason")
router = APIRouter(prefix=PATIENT_DATA_PATH, route_class=build_desk_route("patients:admin"))


@router.get("")
def show_patient_data(desk: PractitionerPageDep, notice: str = "") -> Response:
    """Show the forms and the legal holds that were not released."""
    return _render(desk, {}, {}, notice=notice)


@router.post("/export")
def export_patient(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Return everything stored on the patient as a JSON file."""
    patient, faults = _read_patient(desk, fields)
    if patient is None:
        return _render(desk, _read_values(fields), faults)
    try:
        with desk.context.transaction() as work:
            exported = data_subject_rights.export_patient(work, patient)
            work.audit("export", "patient", count=len(exported.screenings))
    except (NotFoundError, ConflictError) as error:
        return _render(desk, _read_values(fields), _explain(error))
    headers = build_page_headers(find_services(desk.request).settings) | {
        "Content-Disposition": 'attachment; filename="nociscreen-patient.json"'
    }
    return Response(
        exported.model_dump_json(indent=2), media_type="application/json", headers=headers
    )


@router.post("/holds")
def place_hold(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Block all erasure of the patient until the hold is released."""
    patient, faults = _read_patient(desk, fields)
    reason = read_text(fields, "reason")
    if not is_valid_text(_NOTE, reason):
        faults["reason"] = "fault_reason"
    if patient is None or faults:
        return _render(desk, _read_values(fields), faults)
    with desk.context.transaction() as work:
        hold = legal_holds.place_hold(work, patient, reason)
        work.audit("hold", "legal_hold", hold.id)
    return desk.redirect(f"{PATIENT_DATA_PATH}?notice=held")


@router.post("/holds/{hold}/release")
def release_hold(
    desk: PractitionerPageDep,
    hold: HoldId,
    fields: CheckedFields,
) -> Response:
    """Release a hold. This erases nothing."""
    faults = find_identity_faults(desk, fields)
    if faults:
        return _render(desk, {}, faults)
    with desk.context.transaction() as work:
        legal_holds.release_hold(work, hold)
        work.audit("release", "legal_hold", hold)
    return desk.redirect(f"{PATIENT_DATA_PATH}?notice=released")


@router.post("/merge")
def merge_patients(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Move everything stored under one number to another."""
    patient, faults = _read_patient(desk, fields)
    survivor = read_field(fields, "survivor").strip()
    is_same = patient is not None and survivor == patient.reference
    if not survivor or is_same or not is_valid_text(_REFERENCE, survivor):
        faults["survivor"] = "fault_survivor"
    if patient is None or faults:
        return _render(desk, _read_values(fields), faults)
    target = PatientSelector(survivor, patient.system)
    try:
        return _submit(desk, _build_merge(patient, target), "merged")
    except (NotFoundError, ConflictError) as error:
        return _render(desk, _read_values(fields), _explain(error))


@router.post("/erase")
def erase_patient(desk: PractitionerPageDep, fields: CheckedFields) -> Response:
    """Erase everything stored on the patient, once the box is ticked."""
    patient, faults = _read_patient(desk, fields)
    if read_field(fields, "sure") != "yes":
        faults["sure"] = "fault_sure"
    if patient is None or faults:
        return _render(desk, _read_values(fields), faults)
    try:
        request = ErasureRequest(patient=approvals.describe_selector(patient))
        return _submit(desk, request, "erased")
    except (NotFoundError, ConflictError, LegalHoldError) as error:
        return _render(desk, _read_values(fields), _explain(error))


def _build_merge(retired: PatientSelector, survivor: PatientSelector) -> MergeRequest:
    return MergeRequest(
        retired=approvals.describe_selector(retired), survivor=approvals.describe_selector(survivor)
    )


def _submit(
    desk: PractitionerPage, request: ErasureRequest | MergeRequest, notice: str
) -> Response:
    with desk.context.transaction() as work:
        outcome = approvals.submit_request(work, request)
    desk.store.database.truncate_wal()
    if isinstance(outcome, Approval):
        return desk.redirect(f"{APPROVALS_PATH}?notice=requested")
    return desk.redirect(f"{PATIENT_DATA_PATH}?notice={notice}")


def _read_patient(
    desk: PractitionerPage, fields: FormFields
) -> tuple[PatientSelector | None, dict[str, str]]:
    """Return the patient, and the faults of number, system and own password."""
    reference, system = (read_field(fields, name).strip() for name in ("reference", "system"))
    faults = {}
    if not reference or not is_valid_text(_REFERENCE, reference):
        faults["reference"] = "fault_reference"
    if system and not is_valid_text(_REFERENCE, system):
        faults["system"] = "fault_text"
    faults |= find_identity_faults(desk, fields)
    return (None if faults else PatientSelector(reference, system or None)), faults


def _read_values(fields: FormFields) -> dict[str, str]:
    return {name: read_text(fields, name) for name in _FIELDS}


def _explain(error: Exception) -> dict[str, str]:
    match error:
        case LegalHoldError():
            return {"reference": "fault_legal_hold"}
        case ConflictError():
            return {"system": "fault_several_systems"}
        case _:
            return {"reference": "fault_no_patient"}


def _render(
    desk: PractitionerPage, values: dict[str, str], faults: dict[str, str], *, notice: str = ""
) -> Response:
    with desk.context.transaction() as work:
        holds = legal_holds.list_holds(work)
        work.audit("list", "legal_hold")
    return desk.render(
        "patient_data",
        422 if faults else 200,
        values=dict.fromkeys(_FIELDS, "") | values,
        faults=faults,
        notice=notice if notice in {"held", "released", "merged", "erased"} else "",
        holds=holds,
        has_password=has_own_password(desk),
        format_moment=desk.formatter.format_moment,
    )
