"""Merges two patient numbers: screenings, links, drafts and holds move to the surviving number.

Each screening records its moves, so the number on a report issued earlier can still be found. A
batch stays as it was sent and is only counted; erasing either number erases it.
"""

import json
from uuid import uuid4

from sqlmodel import col

from api.store.batches import batches
from api.store.database import tenancy
from api.store.database.tables import DeliveryRow, PatientMoveRow, ScreeningRow
from api.store.deliveries import outbox
from api.store.errors import ConflictError
from api.store.forms import links, response_drafts
from api.store.patients import legal_holds, patient_lookup
from api.store.patients.patient_lookup import PatientSelector
from api.store.screenings import screenings
from api.store.transaction import Transaction
from schemas.patients.patient import KnownPatient
from schemas.patients.rights import MergeCounts
from schemas.patients.screening import ScreeningContext
from schemas.text import accept_stored_text

_ENCRYPTED_COLUMNS = ("patient", "context", "answers", "assessment", "line")


def merge_patients(
    work: Transaction, retired: PatientSelector, survivor: PatientSelector, means: str = "api"
) -> MergeCounts:
    """Move all from one number to another, with its holds. Idempotent. Raises ConflictError."""
    if retired == survivor:
        raise ConflictError("Both numbers are the same.")
    tenancy.lock_erasure(work.session, work.organisation)
    link_rows, draft_rows, ids = patient_lookup.find_records(work, retired)
    for screening_id in ids:
        _move_screening(work, screening_id, survivor, means)
    for link, _ in link_rows:
        links.reassign_link(work, link, _with_number(links.decrypt_patient(work, link), survivor))
    for draft in draft_rows:
        patient = _with_number(links.decrypt_patient(work, draft), survivor)
        response_drafts.reassign_draft(work, draft, patient)
    hold_count = _copy_holds(work, retired, survivor)
    for screening_id in ids:
        work.audit("merge", "screening", screening_id)
    for link, _ in link_rows:
        work.audit("merge", "link", link.id)
    for draft in draft_rows:
        work.audit("merge", "response_draft", draft.id)
    batch_count = len(batches.list_batch_ids_naming(work, [retired.reference]))
    return MergeCounts(
        screenings=len(ids),
        links=len(link_rows),
        response_drafts=len(draft_rows),
        holds=hold_count,
        batches=batch_count,
    )


def concerns_patient(work: Transaction, retired: PatientSelector) -> bool:
    """Return whether a merge would move anything of this number. Raises ConflictError."""
    records = patient_lookup.find_records(work, retired)
    return bool(any(records) or legal_holds.list_holds(work, retired))


def _move_screening(
    work: Transaction, screening_id: str, survivor: PatientSelector, means: str
) -> None:
    row = work.load_row(ScreeningRow, screening_id, lock=True)
    before = screenings.decrypt_patient(work, row)
    after = _with_number(before, survivor)
    content = {
        "from_reference": before.reference,
        "from_system": before.system,
        "to_reference": after.reference,
        "to_system": after.system,
    }
    move = {
        "id": str(uuid4()),
        "screening_id": screening_id,
        "at": work.now,
        "actor": work.actor.id,
        "means": means,
    }
    work.insert(PatientMoveRow, move, content=json.dumps(content).encode())
    _encrypt_again(work, row, after)
    work.update(
        DeliveryRow,
        {"line": outbox.compute_line(work, after)},
        col(DeliveryRow.screening_id) == screening_id,
        col(DeliveryRow.state).in_(outbox.OPEN_STATES),
        col(DeliveryRow.line) != outbox.SINGLE_LINE,
    )


def _with_number(patient: KnownPatient, survivor: PatientSelector) -> KnownPatient:
    return patient.model_copy(update={"reference": survivor.reference, "system": survivor.system})


def _encrypt_again(work: Transaction, row: ScreeningRow, patient: KnownPatient) -> None:
    assessment = screenings.decrypt_assessment(work, row)
    plaintexts = {
        name: work.decrypt_column(row, name)
        for name in _ENCRYPTED_COLUMNS
        if getattr(row, name) is not None
    }
    plaintexts["patient"] = patient.model_dump_json(exclude_none=True).encode()
    plaintexts["context"] = _drop_fhir_subject(plaintexts["context"])
    indexes = screenings.compute_indexes(work.data_keys.current, patient, assessment)
    work.encrypt_row(row, plaintexts, indexes)
    work.session.flush()


@accept_stored_text()
def _drop_fhir_subject(content: bytes) -> bytes:
    """Drop the subject of the FHIR response: it names the retired patient by the sender's id."""
    context = ScreeningContext.model_validate_json(content)
    if context.fhir is None or context.fhir.subject is None:
        return content
    fhir = context.fhir.model_copy(update={"subject": None, "subject_identified": True})
    return context.model_copy(update={"fhir": fhir}).model_dump_json(exclude_none=True).encode()


def _copy_holds(work: Transaction, retired: PatientSelector, survivor: PatientSelector) -> int:
    present = {hold.reason for hold in legal_holds.list_holds(work, survivor)}
    missing = {hold.reason for hold in legal_holds.list_holds(work, retired)} - present
    for reason in sorted(missing):
        legal_holds.place_hold(work, survivor, reason)
    return len(missing)
