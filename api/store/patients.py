"""The rights of a patient: everything kept on one person found, given out, erased, or held.

A person is known by the reference and the system that numbers so. Where several systems use the
same reference, the system must be named, or that it is the one without: nobody is erased for
another.
"""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import delete, func, insert, select, update
from sqlmodel import col

from api.problems import Problem
from api.store import batches, delivery_list, idempotency, links, screenings, sequels, tenancy
from api.store.tables import (
    AcknowledgementRow,
    DeliveryRow,
    LegalHoldRow,
    LinkRow,
    ReportRow,
    ScreeningRow,
)
from api.store.transaction import Transaction
from schemas.rights import Erased, KeptOnPatient, KeptReport, LegalHold

HOLDING = "POST /v1/patients/holds"
_STEP = 500
_SEVERAL = (
    "Several systems number a patient so: name the system; null means the patient without one."
)


class Person(NamedTuple):
    """Whom it is about; without a system it is whoever has the reference, or who has none."""

    reference: str
    system: str | None
    without_system: bool = False

    @property
    def exact(self) -> bool:
        """Whether it is said which system numbers so, or that none does."""
        return self.system is not None or self.without_system


def erase(work: Transaction, person: Person) -> Erased:
    """Erase all that is kept on a person, but for the audit, which holds nothing of it.

    A batch that names the reference, or one that was merged into it, goes whole, with its reports:
    its sender has the file.

    Raises Problem `not_found` where nothing is kept, `held` under a legal hold, also on another
    patient whom such a batch names, `conflict` where several systems use the reference.
    """
    tenancy.in_turn(work.session, work.organisation)
    linked = linked_to(work, person)
    ids = screening_ids(work, person, linked)
    if holding(work, person):
        raise Problem("held")
    sent = _batches(work, person, ids)
    released = _released(work, person)
    if not ids and not linked and not sent and not released:
        raise Problem("not_found")
    _refuse_held(work, sent)
    links.erase(work, [link.id for link, _ in linked])
    batches.drop(work, sent)
    erased = erase_screenings(work, ids).model_copy(
        update={"links": len(linked), "batches": len(sent)}
    )
    _erase_holds(work, released)
    return erased


def erase_batch(work: Transaction, batch_id: str) -> None:
    """Erase a batch with all that was sent and made. Raises Problem `held` as `erase` does."""
    tenancy.in_turn(work.session, work.organisation)
    _refuse_held(work, [batch_id])
    batches.drop(work, [batch_id])


def erase_screenings(work: Transaction, ids: list[str]) -> Erased:
    """Erase screenings with all that hangs on them; how much it was.

    What replaces another comes before it, as `latest_first` orders them.
    """
    counts: Counter[str] = Counter()
    for start in range(0, len(ids), _STEP):
        some = ids[start : start + _STEP]
        for table in (ReportRow, AcknowledgementRow, DeliveryRow):
            counts[str(table.__tablename__)] += _count(work, table, some)
        work.session.execute(
            delete(ScreeningRow).where(
                col(ScreeningRow.organisation_id) == work.organisation,
                col(ScreeningRow.id).in_(some),
            )
        )
    return Erased(
        screenings=len(ids),
        reports=counts["report"],
        acknowledgements=counts["acknowledgement"],
        deliveries=counts["delivery"],
    )


def latest_first(replaced: Mapping[str, str | None]) -> list[str]:
    """The ids of screenings, each with what it replaces, in an order in which they can go."""

    def earlier(screening_id: str) -> int:
        count, each = 0, replaced.get(screening_id)
        while each is not None:
            count, each = count + 1, replaced.get(each)
        return count

    return sorted(replaced, key=earlier, reverse=True)


def export(work: Transaction, person: Person) -> KeptOnPatient:
    """All that is kept on a person. Raises Problem `not_found`, `conflict` as `erase` does."""
    linked = linked_to(work, person)
    ids = screening_ids(work, person, linked)
    sent = _batches(work, person, ids)
    if not ids and not linked and not sent:
        raise Problem("not_found")
    return KeptOnPatient(
        links=tuple(links.kept(work, *each) for each in linked),
        screenings=tuple(screenings.found(work, each) for each in ids),
        reports=tuple(
            KeptReport(
                screening=row.screening_id,
                sha256=row.sha256,
                media_type=row.media_type,
                issued_at=row.issued_at,
                content=b64encode(work.open(row.key_id, "report", "content", row.id, row.content)),
            )
            for row in work.session.execute(
                select(ReportRow)
                .where(
                    col(ReportRow.organisation_id) == work.organisation,
                    col(ReportRow.screening_id).in_(ids),
                )
                .order_by(col(ReportRow.issued_at), col(ReportRow.id))
            ).scalars()
        ),
        deliveries=tuple(delivery_list.kept(work, ids)),
        holds=tuple(holding(work, person)),
        batches=tuple(batches.named_in(work, sent)),
    )


def hold(work: Transaction, person: Person, reason: str) -> LegalHold:
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
            **hold_indexes(work, content),
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
            reason=hold_content(work, row)["reason"],
        )
        for row in _holds(work, person)
    ]


def held_indexes(work: Transaction) -> set[bytes]:
    """Every hash that a held patient's reference may have been kept under."""
    return {
        each
        for row in _holds(work, None)
        for each in work.keys.keyed("patient_index", hold_content(work, row)["reference"])
    }


def hold_content(work: Transaction, row: LegalHoldRow) -> Any:
    """Whom a hold is on, and why."""
    return json.loads(work.open(row.key_id, "legal_hold", "content", row.id, row.content))


def hold_indexes(work: Transaction, content: Any) -> dict[str, bytes]:
    """What a hold is searched by."""
    return {
        "patient_index": work.keys.current.keyed("patient_index", content["reference"]),
        "system_index": work.keys.current.keyed("system_index", content["system"]),
    }


def linked_to(work: Transaction, person: Person) -> list[tuple[Any, Any]]:
    """The rows of all links of a person, each with its draft or None."""
    return links.of_person(work, *_of(work, LinkRow, person))


def screening_ids(work: Transaction, person: Person, linked: list[tuple[Any, Any]]) -> list[str]:
    """The ids of all screenings of a person with these links, the latest correction first.

    Raises Problem `conflict` where several systems use the reference.
    """
    rows = (
        work.session.execute(
            select(ScreeningRow)
            .where(*_of(work, ScreeningRow, person))
            .order_by(col(ScreeningRow.created_at), col(ScreeningRow.id))
        )
        .scalars()
        .all()
    )
    systems: set[str | None] = {screenings.patient_of(work, row).system for row in rows}
    systems |= {links.patient_of(work, link).system for link, _ in linked}
    if len(systems) > 1:
        raise Problem("conflict", _SEVERAL)
    return latest_first({row.id: row.replaces for row in rows})


def _holds(work: Transaction, person: Person | None) -> list[LegalHoldRow]:
    query = select(LegalHoldRow).where(
        col(LegalHoldRow.organisation_id) == work.organisation,
        col(LegalHoldRow.released_at).is_(None),
    )
    if person is not None:
        query = query.where(*_holds_on(work, person))
    return list(work.session.execute(query.order_by(col(LegalHoldRow.placed_at))).scalars())


def _released(work: Transaction, person: Person) -> list[str]:
    """The ids of the legal holds on a person of whom no hold is left."""
    query = select(col(LegalHoldRow.id)).where(*_holds_on(work, person))
    return list(work.session.execute(query).scalars())


def _erase_holds(work: Transaction, ids: list[str]) -> None:
    """Erase legal holds, and the answers that told of them: they repeat the reason."""
    if not ids:
        return
    work.session.execute(
        delete(LegalHoldRow).where(
            col(LegalHoldRow.organisation_id) == work.organisation, col(LegalHoldRow.id).in_(ids)
        )
    )
    idempotency.forget(work, HOLDING, lambda body: json.loads(body).get("id") in ids)


def _holds_on(work: Transaction, person: Person) -> list[Any]:
    """A hold that names no system is on whoever has the reference."""
    which = _of(work, LegalHoldRow, Person(person.reference, None))
    if person.exact:
        systems = [
            each
            for system in {person.system, None}
            for each in work.keys.keyed("system_index", system)
        ]
        which.append(col(LegalHoldRow.system_index).in_(systems))
    return which


def _of(work: Transaction, table: Any, person: Person) -> list[Any]:
    which = [
        table.organisation_id == work.organisation,
        col(table.patient_index).in_(work.keys.keyed("patient_index", person.reference)),
    ]
    if person.exact:
        which.append(col(table.system_index).in_(work.keys.keyed("system_index", person.system)))
    return which


def _batches(work: Transaction, person: Person, ids: list[str]) -> list[str]:
    """The ids of batches that name the person, also by a number that these screenings came from."""
    numbers = {move.from_reference for each in ids for move in sequels.moves(work, each)}
    numbers.add(person.reference)
    return sorted({each for number in numbers for each in batches.naming(work, number)})


def _refuse_held(work: Transaction, ids: list[str]) -> None:
    """A held patient may be named by a number that was merged into the one that is held."""
    contents = [hold_content(work, row) for row in _holds(work, None)]
    numbers = {each["reference"] for each in contents}
    for each in numbers.copy():
        numbers |= _merged_into(work, Person(each, None))
    hashes = {each for number in numbers for each in work.keys.keyed("patient_index", number)}
    if batches.naming_any(work, ids, hashes):
        raise Problem("held")


def _merged_into(work: Transaction, person: Person) -> set[str]:
    """The numbers that screenings of whoever has the reference came from."""
    ids = work.session.execute(
        select(col(ScreeningRow.id)).where(*_of(work, ScreeningRow, person))
    ).scalars()
    return {move.from_reference for each in ids.all() for move in sequels.moves(work, each)}


def _count(work: Transaction, table: Any, ids: list[str]) -> int:
    which = table.organisation_id == work.organisation, col(table.screening_id).in_(ids)
    return int(
        work.session.execute(select(func.count()).select_from(table).where(*which)).scalar_one()
    )
