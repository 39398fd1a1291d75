"""Merging: screenings and links go over to the number that stays, with holds and drafts.

The number on a paper that was issued before is never lost: each screening tells all its moves.
A batch stays as its sender made it, and is told of: erasing either number erases it.
"""

import json
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import insert, select, update
from sqlmodel import col

from api.problems import Problem
from api.store.batches import batches
from api.store.database import tenancy
from api.store.database.tables import DeliveryRow, PatientMoveRow, ScreeningRow
from api.store.deliveries import outbox
from api.store.forms import links
from api.store.patients import legal_holds, patient_lookup
from api.store.patients.patient_lookup import Person
from api.store.screenings import screenings
from api.store.transaction import Transaction
from schemas.patient import KnownPatient
from schemas.rights import Merged
from schemas.screening import Context

_SEALED = ("patient", "context", "answers", "assessment")


class _Move(NamedTuple):
    before: KnownPatient
    after: KnownPatient


def merge(work: Transaction, retired: Person, survivor: Person, means: str = "api") -> Merged:
    """Move all that is kept under one number to another, holds too. Twice is once.

    Raises Problem `conflict` where both are one, or several systems use the retired number.
    """
    if retired == survivor:
        raise Problem("conflict", "Both numbers are the same.")
    tenancy.in_turn(work.session, work.organisation)
    linked = patient_lookup.linked_to(work, retired)
    ids = patient_lookup.screening_ids(work, retired, linked)
    for each in ids:
        _move(work, each, survivor, means)
    for link, _ in linked:
        links.move(work, link, _renamed(links.patient_of(work, link), survivor))
    held = _hold(work, retired, survivor)
    for each in ids:
        work.audit("merge", "screening", each)
    for link, _ in linked:
        work.audit("merge", "link", link.id)
    named = len(batches.naming(work, retired.reference))
    return Merged(screenings=len(ids), links=len(linked), holds=held, batches=named)


def _move(work: Transaction, screening_id: str, survivor: Person, means: str) -> None:
    row = work.session.execute(
        select(ScreeningRow)
        .where(
            col(ScreeningRow.organisation_id) == work.organisation,
            col(ScreeningRow.id) == screening_id,
        )
        .with_for_update()
    ).scalar_one()
    before = screenings.patient_of(work, row)
    move = _Move(before, _renamed(before, survivor))
    _remember(work, screening_id, move, means)
    _seal_anew(work, row, move.after)
    work.session.execute(
        update(DeliveryRow)
        .where(
            col(DeliveryRow.organisation_id) == work.organisation,
            col(DeliveryRow.screening_id) == screening_id,
            col(DeliveryRow.state).in_(outbox.OPEN),
            col(DeliveryRow.line) != outbox.WHOLE,
        )
        .values(line=outbox.line_of(work, move.after))
    )


def _renamed(patient: KnownPatient, survivor: Person) -> KnownPatient:
    named = {"reference": survivor.reference, "system": survivor.system}
    return patient.model_copy(update=named)


def _seal_anew(work: Transaction, row: ScreeningRow, patient: KnownPatient) -> None:
    assessment = screenings.assessment_of(work, row)
    plain = {name: screenings.opened(work, row, name) for name in _SEALED}
    plain["patient"] = patient.model_dump_json(exclude_none=True).encode()
    plain["context"] = _without_old_subject(plain["context"])
    for name, content in plain.items():
        setattr(row, name, work.seal(screenings.TABLE, name, row.id, content))
    for name, index in screenings.indexes(work, patient, assessment).items():
        setattr(row, name, index)
    row.key_id = work.key_id
    work.session.flush()


def _without_old_subject(content: bytes) -> bytes:
    """A FHIR response's own reference names the patient that is no more: the number does not."""
    context = Context.model_validate_json(content)
    if context.fhir is None or context.fhir.subject is None:
        return content
    named = context.fhir.model_copy(update={"subject": None, "subject_identified": True})
    return context.model_copy(update={"fhir": named}).model_dump_json(exclude_none=True).encode()


def _remember(work: Transaction, screening_id: str, move: _Move, means: str) -> None:
    move_id = str(uuid4())
    content = {
        "from_reference": move.before.reference,
        "from_system": move.before.system,
        "to_reference": move.after.reference,
        "to_system": move.after.system,
    }
    work.session.execute(
        insert(PatientMoveRow).values(
            organisation_id=work.organisation,
            id=move_id,
            screening_id=screening_id,
            at=work.now,
            actor=work.actor.id,
            means=means,
            key_id=work.key_id,
            content=work.seal("patient_move", "content", move_id, json.dumps(content).encode()),
        )
    )


def _hold(work: Transaction, retired: Person, survivor: Person) -> int:
    """What was held stays held under the number that stays; how many holds were laid on it."""
    there: Any = {each.reason for each in legal_holds.holding(work, survivor)}
    missing = {each.reason for each in legal_holds.holding(work, retired)} - there
    for reason in sorted(missing):
        legal_holds.place(work, survivor, reason)
    return len(missing)
