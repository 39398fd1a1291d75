"""Legal holds: block the erasure of a patient until they are released."""

import json
from typing import Any
from uuid import uuid4

from sqlalchemy import or_
from sqlmodel import col

from api.store import idempotency
from api.store.batches import batches
from api.store.database import tenancy
from api.store.database.tables import LegalHoldRow, ScreeningRow
from api.store.errors import LegalHoldError, NotFoundError
from api.store.patients.patient_lookup import PatientSelector, build_patient_filter
from api.store.screenings import events
from api.store.transaction import Transaction
from schemas.patients.rights import LegalHold
from schemas.text import accept_stored_text

PLACE_HOLD_ROUTE = "POST /v1/patients/holds"


def place_hold(work: Transaction, patient: PatientSelector, reason: str) -> LegalHold:
    """Place a legal hold on the patient and return it."""
    tenancy.lock_erasure(work.session, work.organisation)
    hold = LegalHold(id=str(uuid4()), placed_at=work.now, placed_by=work.actor.id, reason=reason)
    content = {"reference": patient.reference, "system": patient.system, "reason": reason}
    row = {
        "id": hold.id,
        "placed_at": work.now,
        "actor": work.actor.id,
        **compute_indexes(work, content),
    }
    work.insert(LegalHoldRow, row, content=json.dumps(content).encode())
    return hold


def release_hold(work: Transaction, hold_id: str) -> None:
    """End a legal hold. Raises NotFoundError."""
    is_active = col(LegalHoldRow.released_at).is_(None)
    values = {"released_at": work.now}
    if not work.update(LegalHoldRow, values, col(LegalHoldRow.id) == hold_id, is_active):
        raise NotFoundError
    work.withdraw("legal_hold", hold_id)


@accept_stored_text()
def list_holds(work: Transaction, patient: PatientSelector | None = None) -> list[LegalHold]:
    """Return the unreleased legal holds, of one patient or of all."""
    return [
        LegalHold(
            id=row.id,
            placed_at=row.placed_at,
            placed_by=row.actor,
            reason=decrypt_content(work, row)["reason"],
        )
        for row in _load_holds(work, patient)
    ]


def compute_held_indexes(work: Transaction) -> set[bytes]:
    """Return every keyed hash that the reference of a patient under hold may be stored under."""
    return {
        index
        for row in _load_holds(work, None)
        for index in work.data_keys.compute_keyed_hashes(
            "patient_index", decrypt_content(work, row)["reference"]
        )
    }


def decrypt_content(work: Transaction, row: LegalHoldRow) -> Any:
    """Decrypt the content of a hold: reference, system and reason."""
    return json.loads(work.decrypt_column(row, "content"))


def compute_indexes(work: Transaction, content: Any) -> dict[str, bytes]:
    """Return the keyed hashes that a hold is searched by."""
    return work.hash_columns(patient_index=content["reference"], system_index=content["system"])


def list_hold_ids(work: Transaction, patient: PatientSelector) -> list[str]:
    """Return the ids of all legal holds on a patient, released ones included."""
    query = work.select(LegalHoldRow.id).where(*_match_holds(work, patient))
    return list(work.list_rows(query))


def delete_holds(work: Transaction, ids: list[str]) -> None:
    """Delete legal holds and the stored responses that repeat their reasons."""
    if not ids:
        return
    work.delete(LegalHoldRow, col(LegalHoldRow.id).in_(ids))
    idempotency.delete_responses(
        work, PLACE_HOLD_ROUTE, lambda body: json.loads(body).get("id") in ids
    )


def require_no_held_patient(work: Transaction, ids: list[str]) -> None:
    """Raise LegalHoldError if a batch names a held patient, also by a merged number."""
    numbers = {decrypt_content(work, row)["reference"] for row in _load_holds(work, None)}
    for number in numbers.copy():
        numbers |= _list_merged_numbers(work, PatientSelector(number, None))
    hashes = {
        index
        for number in numbers
        for index in work.data_keys.compute_keyed_hashes("patient_index", number)
    }
    if batches.has_any_patient(work, ids, hashes):
        raise LegalHoldError


def _load_holds(work: Transaction, patient: PatientSelector | None) -> list[LegalHoldRow]:
    query = work.select(LegalHoldRow).where(col(LegalHoldRow.released_at).is_(None))
    if patient is not None:
        query = query.where(*_match_holds(work, patient))
    return list(work.list_rows(query.order_by(col(LegalHoldRow.placed_at))))


def _match_holds(work: Transaction, patient: PatientSelector) -> list[Any]:
    """Return the conditions for holds on this patient; one without a system covers all systems."""
    conditions = build_patient_filter(work, LegalHoldRow, PatientSelector(patient.reference, None))
    if patient.is_exact:
        systems = {patient.system, None}
        matches = (work.match_hash(LegalHoldRow.system_index, system) for system in systems)
        conditions.append(or_(*matches))
    return conditions


def _list_merged_numbers(work: Transaction, patient: PatientSelector) -> set[str]:
    query = work.select(ScreeningRow.id).where(*build_patient_filter(work, ScreeningRow, patient))
    return {
        move.from_reference
        for screening_id in work.list_rows(query)
        for move in events.list_patient_moves(work, screening_id)
    }
