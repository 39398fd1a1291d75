"""Approvals: where an organisation chose so, a second person must approve certain requests.

These are the erasure of a patient, the merge of two numbers and a new client. A request waits,
encrypted, until another person with the scope approves or rejects it, or it expires.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter
from sqlalchemy import delete
from sqlalchemy.orm import Session
from sqlmodel import col

from api.store.accounts import clients, grants, organisations
from api.store.database.tables import ApprovalRow
from api.store.errors import ConflictError, NotFoundError
from api.store.patients import data_subject_rights, merges
from api.store.patients.patient_lookup import PatientSelector
from api.store.transaction import Transaction
from schemas.organisations.approvals import (
    Approval,
    ApprovalRequest,
    ClientRequest,
    ErasureRequest,
    MergeRequest,
    Outcome,
    RequestedPatient,
)
from schemas.text import accept_stored_text

VALID_DAYS = 7
KIND_SCOPES = {
    "erasure": "patients:admin",
    "merge": "patients:admin",
    "client": "clients:admin",
}
"""The scope that the person who approves a request of this kind needs."""
_REQUEST: TypeAdapter[ApprovalRequest] = TypeAdapter(ApprovalRequest)


def submit_request(work: Transaction, request: ApprovalRequest) -> Outcome | Approval:
    """Carry out the request, or store it for approval where the organisation requires one.

    Raises what carrying it out raises, and GrantError.
    """
    if not organisations.find_own_organisation(work).second_approval:
        return _carry_out(work, request)
    if isinstance(request, ClientRequest):
        grants.require_held_scopes(work, request.scopes)
        grants.require_held_limit(work, request.requests_per_minute)
    approval = Approval(
        id=str(uuid4()),
        requested_by=work.actor.id,
        requested_at=work.now,
        expires_at=work.now + timedelta(days=VALID_DAYS),
        request=request,
    )
    row = approval.model_dump(exclude={"request"}) | {"kind": request.kind}
    work.insert(ApprovalRow, row, content=request.model_dump_json().encode())
    work.audit("request", request.kind, approval.id)
    return approval


def receive_merge(work: Transaction, retired: PatientSelector, survivor: PatientSelector) -> int:
    """Merge two numbers as a hospital's system tells; return how many screenings moved.

    Where a second person must approve, the merge waits, once, if anything of the retired number is
    stored. Raises ConflictError.
    """
    if not organisations.find_own_organisation(work).second_approval:
        return merges.merge_patients(work, retired, survivor, "hl7v2").screenings
    request = MergeRequest(retired=describe_selector(retired), survivor=describe_selector(survivor))
    waiting = (approval.request for approval in list_approvals(work, [request.kind]))
    if merges.concerns_patient(work, retired) and request not in waiting:
        submit_request(work, request)
    return 0


def list_approvals(work: Transaction, kinds: Collection[str]) -> list[Approval]:
    """Return the requests of these kinds that wait for approval, oldest first."""
    query = work.select(ApprovalRow).where(*_match_open(work, kinds))
    rows = work.list_rows(query.order_by(col(ApprovalRow.requested_at), col(ApprovalRow.id)))
    return [
        Approval(
            id=row.id,
            requested_by=row.requested_by,
            requested_at=row.requested_at,
            expires_at=row.expires_at,
            request=_decrypt(work, row),
        )
        for row in rows
    ]


def decide_request(
    work: Transaction, approval_id: str, kinds: Collection[str], *, is_approved: bool
) -> Outcome | None:
    """Carry out a request of these kinds, or drop it. A person may reject their own request.

    Raises NotFoundError, ConflictError for the approval of one's own, and what carrying it out
    raises.
    """
    row = work.load_row(ApprovalRow, approval_id, *_match_open(work, kinds), lock=True)
    if is_approved and row.requested_by == work.actor.id:
        raise ConflictError("Another person must approve this request.")
    request = _decrypt(work, row)
    work.delete(ApprovalRow, col(ApprovalRow.id) == approval_id)
    work.audit("approve" if is_approved else "reject", request.kind, approval_id)
    outcome = _carry_out(work, request) if is_approved else None
    work.withdraw("approval", approval_id)
    return outcome


def delete_expired_approvals(session: Session) -> None:
    """Delete the expired requests of all organisations."""
    session.execute(delete(ApprovalRow).where(col(ApprovalRow.expires_at) < datetime.now(UTC)))


@accept_stored_text()
def describe_selector(patient: PatientSelector) -> RequestedPatient:
    """Return a patient as a request names them."""
    return RequestedPatient(**patient._asdict())


def _carry_out(work: Transaction, request: ApprovalRequest) -> Outcome:
    match request:
        case ErasureRequest():
            erased = data_subject_rights.erase_patient(work, _build_selector(request.patient))
            work.audit("erase", "patient", count=erased.screenings)
            return erased
        case MergeRequest():
            numbers = _build_selector(request.retired), _build_selector(request.survivor)
            counts = merges.merge_patients(work, *numbers)
            if not any(dict(counts).values()):
                raise NotFoundError
            work.audit("merge", "patient", count=counts.screenings)
            return counts
        case ClientRequest():
            client = clients.add_client(
                work, request.name, request.scopes, request.requests_per_minute
            )
            work.audit("administer", "client", client.id)
            return client


def _build_selector(number: RequestedPatient) -> PatientSelector:
    return PatientSelector(**number.model_dump())


def _match_open(work: Transaction, kinds: Collection[str]) -> tuple[Any, ...]:
    return col(ApprovalRow.kind).in_(kinds), col(ApprovalRow.expires_at) > work.now


@accept_stored_text()
def _decrypt(work: Transaction, row: ApprovalRow) -> ApprovalRequest:
    return _REQUEST.validate_json(work.decrypt_column(row, "content"))
