"""A patient's data-subject rights: export and erasure of everything stored on the patient."""

import json
from base64 import b64encode
from collections import Counter

from sqlmodel import col

from api.store.batches import batches
from api.store.database import tenancy
from api.store.database.tables import (
    AcknowledgementRow,
    ApprovalRow,
    DeliveryRow,
    ReportRow,
    ScreeningRow,
)
from api.store.deliveries import search
from api.store.errors import LegalHoldError, NotFoundError
from api.store.forms import links, response_drafts
from api.store.notifications import outbox
from api.store.patients import legal_holds, patient_lookup
from api.store.screenings import events, screenings
from api.store.transaction import Transaction
from schemas.patients.rights import ErasureCounts, PatientDataExport, StoredReport

_STEP = 500


def erase_patient(work: Transaction, patient: patient_lookup.PatientSelector) -> ErasureCounts:
    """Erase everything stored on a patient except the audit, which holds no patient data.

    A batch that names the reference, or one merged into it, is erased whole with its reports; its
    sender has the file.

    Raises NotFoundError if nothing is stored, ConflictError if several systems use the reference,
    LegalHoldError if the patient, or another one named in such a batch, is under a legal hold.
    """
    tenancy.lock_erasure(work.session, work.organisation)
    link_rows, draft_rows, ids = patient_lookup.find_records(work, patient)
    if legal_holds.list_holds(work, patient):
        raise LegalHoldError
    batch_ids = _list_batch_ids(work, patient, ids)
    hold_ids = legal_holds.list_hold_ids(work, patient)
    draft_ids = [row.id for row in draft_rows]
    if not (ids or link_rows or draft_ids or batch_ids or hold_ids):
        raise NotFoundError
    legal_holds.require_no_held_patient(work, batch_ids)
    links.delete_links(work, [link.id for link, _ in link_rows])
    response_drafts.delete_drafts(work, draft_ids)
    batches.delete_batches(work, batch_ids)
    counts = erase_screenings(work, ids).model_copy(
        update={
            "links": len(link_rows),
            "response_drafts": len(draft_ids),
            "batches": len(batch_ids),
        }
    )
    legal_holds.delete_holds(work, hold_ids)
    request_ids = _delete_requests(work, patient.reference)
    work.withdraw("screening", *ids)
    work.withdraw("link", *(link.id for link, _ in link_rows))
    work.withdraw("response_draft", *draft_ids)
    work.withdraw("batch", *batch_ids)
    work.withdraw("erased_hold", *hold_ids)
    work.withdraw("approval", *request_ids)
    return counts


def _delete_requests(work: Transaction, reference: str) -> list[str]:
    """Delete the requests for approval that name the patient; return their ids."""
    deleted_ids = []
    for row in work.list_rows(work.select(ApprovalRow)):
        request = json.loads(work.decrypt_column(row, "content"))
        numbers = (request.get(name, {}) for name in ("patient", "retired", "survivor"))
        if reference in {number.get("reference") for number in numbers}:
            work.delete(ApprovalRow, col(ApprovalRow.id) == row.id)
            deleted_ids.append(row.id)
    return deleted_ids


def erase_batch(work: Transaction, batch_id: str) -> None:
    """Erase a batch. Raises LegalHoldError if it names a patient under a legal hold."""
    tenancy.lock_erasure(work.session, work.organisation)
    legal_holds.require_no_held_patient(work, [batch_id])
    batches.delete_batches(work, [batch_id])
    work.withdraw("batch", batch_id)


def erase_screenings(work: Transaction, ids: list[str]) -> ErasureCounts:
    """Erase screenings, each after its corrections, with their dependent rows; return counts."""
    counts: Counter[str] = Counter()
    for start in range(0, len(ids), _STEP):
        step_ids = ids[start : start + _STEP]
        for table in (ReportRow, AcknowledgementRow, DeliveryRow):
            is_dependent = col(table.screening_id).in_(step_ids)
            counts[str(table.__tablename__)] += work.count(table, is_dependent)
        work.delete(ScreeningRow, col(ScreeningRow.id).in_(step_ids))
    return ErasureCounts(
        screenings=len(ids),
        reports=counts["report"],
        acknowledgements=counts["acknowledgement"],
        deliveries=counts["delivery"],
    )


def export_patient(work: Transaction, patient: patient_lookup.PatientSelector) -> PatientDataExport:
    """Return everything stored on a patient. Raises NotFoundError and ConflictError."""
    link_rows, draft_rows, ids = patient_lookup.find_records(work, patient)
    batch_ids = _list_batch_ids(work, patient, ids)
    if not (ids or link_rows or draft_rows or batch_ids):
        raise NotFoundError
    return PatientDataExport(
        links=tuple(links.build_link_with_draft(work, *row) for row in link_rows),
        response_drafts=tuple(response_drafts.build_draft(work, row) for row in draft_rows),
        screenings=tuple(screenings.find_screening(work, screening_id) for screening_id in ids),
        reports=tuple(
            StoredReport(
                screening=row.screening_id,
                sha256=row.sha256,
                media_type=row.media_type,
                issued_at=row.issued_at,
                content=b64encode(work.decrypt_column(row, "content")),
            )
            for row in work.list_rows(
                work.select(ReportRow)
                .where(col(ReportRow.screening_id).in_(ids))
                .order_by(col(ReportRow.issued_at), col(ReportRow.id))
            )
        ),
        deliveries=tuple(search.list_exported_deliveries(work, ids)),
        notifications=outbox.list_exported_notifications(
            work, [link.id for link, _ in link_rows], ids
        ),
        holds=tuple(legal_holds.list_holds(work, patient)),
        batches=tuple(batches.list_batches_for_export(work, batch_ids)),
    )


def _list_batch_ids(
    work: Transaction, patient: patient_lookup.PatientSelector, ids: list[str]
) -> list[str]:
    """Return the ids of batches that name the patient, also by a number merged into this one."""
    numbers = {
        move.from_reference
        for screening_id in ids
        for move in events.list_patient_moves(work, screening_id)
    } | {patient.reference}
    return batches.list_batch_ids_naming(work, numbers)
