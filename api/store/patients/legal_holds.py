"""Legal holds: what keeps everything on a person from being erased until it is released."""

import json
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, insert, select, update
from sqlmodel import col

from api.problems import Problem
from api.store import idempotency
from api.store.batches import batches
from api.store.database import tenancy
from api.store.database.tables import LegalHoldRow, ScreeningRow
from api.store.patients.patient_lookup import Person, which
from api.store.screenings import events
from api.store.transaction import Transaction
from schemas.rights import LegalHold

HOLDING = "POST /v1/patients/holds"


def place(work: Transaction, person: Person, reason: str) -> LegalHold:
    """From now on nothing of this person may be erased."""
    tenancy.in_turn(work.session, work.organisation)
    made = LegalHold(id=str(uuid4()), placed_at=work.now, placed_by=work.actor.id, reason=reason)
    content = {"reference": person.reference, "system": person.system, "reason": reason}
    work.session.execute(
        insert(LegalHoldRow).values(
            organisation_id=work.organisation,
            id=made.id,
            placed_at=work.now,
            released_at=None,
            actor=work.actor.id,
            key_id=work.key_id,
            **indexes(work, content),
            content=work.seal("legal_hold", "content", made.id, json.dumps(content).encode()),
        )
    )
    return made


def release(work: Transaction, hold_id: str) -> None:
    """End a legal hold. Raises Problem `not_found`."""
    done: Any = work.session.execute(
        update(LegalHoldRow)
        .where(
            col(LegalHoldRow.organisation_id) == work.organisation,
            col(LegalHoldRow.id) == hold_id,
            col(LegalHoldRow.released_at).is_(None),
        )
        .values(released_at=work.now)
    )
    if not done.rowcount:
        raise Problem("not_found")


def holding(work: Transaction, person: Person | None = None) -> list[LegalHold]:
    """The legal holds on a person, or on anyone, that are not released."""
    return [
        LegalHold(
            id=row.id,
            placed_at=row.placed_at,
            placed_by=row.actor,
            reason=content_of(work, row)["reason"],
        )
        for row in _holds(work, person)
    ]


def held_indexes(work: Transaction) -> set[bytes]:
    """Every hash that a held patient's reference may have been kept under."""
    return {
        each
        for row in _holds(work, None)
        for each in work.keys.keyed("patient_index", content_of(work, row)["reference"])
    }


def content_of(work: Transaction, row: LegalHoldRow) -> Any:
    """Whom a hold is on, and why."""
    return json.loads(work.open(row.key_id, "legal_hold", "content", row.id, row.content))


def indexes(work: Transaction, content: Any) -> dict[str, bytes]:
    """What a hold is searched by."""
    return {
        "patient_index": work.keys.current.keyed("patient_index", content["reference"]),
        "system_index": work.keys.current.keyed("system_index", content["system"]),
    }


def released(work: Transaction, person: Person) -> list[str]:
    """The ids of the legal holds on a person of whom no hold is left."""
    query = select(col(LegalHoldRow.id)).where(*_holds_on(work, person))
    return list(work.session.execute(query).scalars())


def erase(work: Transaction, ids: list[str]) -> None:
    """Erase legal holds, and the answers that told of them: they repeat the reason."""
    if not ids:
        return
    work.session.execute(
        delete(LegalHoldRow).where(
            col(LegalHoldRow.organisation_id) == work.organisation, col(LegalHoldRow.id).in_(ids)
        )
    )
    idempotency.forget(work, HOLDING, lambda body: json.loads(body).get("id") in ids)


def refuse_held(work: Transaction, ids: list[str]) -> None:
    """Raise Problem `held` where one of these batches names a held patient.

    A held patient may be named by a number that was merged into the one that is held.
    """
    contents = [content_of(work, row) for row in _holds(work, None)]
    numbers = {each["reference"] for each in contents}
    for each in numbers.copy():
        numbers |= _merged_into(work, Person(each, None))
    hashes = {each for number in numbers for each in work.keys.keyed("patient_index", number)}
    if batches.naming_any(work, ids, hashes):
        raise Problem("held")


def _holds(work: Transaction, person: Person | None) -> list[LegalHoldRow]:
    query = select(LegalHoldRow).where(
        col(LegalHoldRow.organisation_id) == work.organisation,
        col(LegalHoldRow.released_at).is_(None),
    )
    if person is not None:
        query = query.where(*_holds_on(work, person))
    return list(work.session.execute(query.order_by(col(LegalHoldRow.placed_at))).scalars())


def _holds_on(work: Transaction, person: Person) -> list[Any]:
    """A hold that names no system is on whoever has the reference."""
    found = which(work, LegalHoldRow, Person(person.reference, None))
    if person.exact:
        systems = [
            each
            for system in {person.system, None}
            for each in work.keys.keyed("system_index", system)
        ]
        found.append(col(LegalHoldRow.system_index).in_(systems))
    return found


def _merged_into(work: Transaction, person: Person) -> set[str]:
    """The numbers that screenings of whoever has the reference came from."""
    ids = work.session.execute(
        select(col(ScreeningRow.id)).where(*which(work, ScreeningRow, person))
    ).scalars()
    return {move.from_reference for each in ids.all() for move in events.moves(work, each)}
