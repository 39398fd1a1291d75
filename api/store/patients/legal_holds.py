"""Legal holds: block the erasure of a patient until they are released."""

import json
from collections.abc import Collection, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, or_
from sqlmodel import col

from api.store import idempotency
from api.store.batches import batches
from api.store.database import tenancy
from api.store.database.tables import (
    LegalHoldRow,
    LinkRow,
    ResponseDraftRow,
    ScreeningRow,
)
from api.store.errors import LegalHoldError, NotFoundError
from api.store.forms import links
from api.store.patients.patient_lookup import PatientSelector, build_patient_filter
from api.store.screenings import events, screenings
from api.store.transaction import Transaction
from schemas.patients.rights import LegalHold
from schemas.text import accept_stored_text

PLACE_HOLD_ROUTE = "POST /v1/patients/holds"
REASON_AFTER_RESTORE = "Placed again after a restore. The reason was stored after the backup."


def place_hold(work: Transaction, patient: PatientSelector, reason: str) -> LegalHold:
    """Place a legal hold on the patient and return it."""
    tenancy.lock_erasure(work.session, work.organisation)
    hold = LegalHold(id=str(uuid4()), placed_at=work.now, placed_by=work.actor.id, reason=reason)
    content = {"reference": patient.reference, "system": patient.system, "reason": reason}
    _insert_hold(work, hold.id, content)
    systems = "one_system" if patient.system else "all_systems"
    work.withdraw("placed_hold", " ".join((hold.id, systems, *_list_record_ids(work, patient))))
    return hold


def place_hold_again(
    work: Transaction, hold_id: str, record_ids: Collection[str], *, has_system: bool
) -> bool:
    """Place a hold that the restored database lacks; return whether it has any of these records.

    The records are screenings, links and FHIR responses in progress. Where they name the patient by
    several numbers, each number has a hold, whose id begins with that of the hold.
    """
    tenancy.lock_erasure(work.session, work.organisation)
    named_patients = [
        *(screenings.decrypt_patient(work, row) for row in _load(work, ScreeningRow, record_ids)),
        *(
            links.decrypt_patient(work, row)
            for table in (LinkRow, ResponseDraftRow)
            for row in _load(work, table, record_ids)
        ),
    ]
    patients = {
        (patient.reference, patient.system if has_system else None) for patient in named_patients
    }
    for number, (reference, system) in enumerate(sorted(patients, key=str)):
        content = {"reference": reference, "system": system, "reason": REASON_AFTER_RESTORE}
        _insert_hold(work, f"{hold_id}.{number}" if number else hold_id, content)
    return bool(patients)


def release_hold(work: Transaction, hold_id: str) -> None:
    """End a legal hold. Raises NotFoundError."""
    if not release_holds(work, [hold_id]):
        raise NotFoundError
    work.withdraw("legal_hold", hold_id)


def release_holds(work: Transaction, ids: Collection[str]) -> int:
    """End the legal holds of these ids that are in force; return their number."""
    is_active = col(LegalHoldRow.released_at).is_(None)
    return work.update(LegalHoldRow, {"released_at": work.now}, _match_ids(ids), is_active)


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
    work.delete(LegalHoldRow, _match_ids(ids))
    idempotency.delete_responses_naming(work, PLACE_HOLD_ROUTE, ids)


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


def _insert_hold(work: Transaction, hold_id: str, content: dict[str, str | None]) -> None:
    row = {"id": hold_id, "placed_at": work.now, "actor": work.actor.id}
    row |= compute_indexes(work, content)
    work.insert(LegalHoldRow, row, content=json.dumps(content).encode())


def _list_record_ids(work: Transaction, patient: PatientSelector) -> list[str]:
    """Return the ids of the patient's screenings, links and FHIR responses in progress."""
    return [
        record_id
        for table in (ScreeningRow, LinkRow, ResponseDraftRow)
        for record_id in work.list_rows(
            work.select(table.id).where(*build_patient_filter(work, table, patient))
        )
    ]


def _load(work: Transaction, table: Any, ids: Collection[str]) -> Sequence[Any]:
    return work.list_rows(work.select(table).where(col(table.id).in_(ids)))


def _match_ids(ids: Collection[str]) -> ColumnElement[bool]:
    """Return the condition for these holds and those placed again for their further numbers."""
    column = col(LegalHoldRow.id)
    return or_(column.in_(ids), *(column.startswith(f"{hold_id}.") for hold_id in ids))


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
