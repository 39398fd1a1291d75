"""The rights of a patient: everything kept on one person given out, or erased."""

from base64 import b64encode
from collections import Counter
from typing import Any

from sqlalchemy import delete, func, select
from sqlmodel import col

from api.problems import Problem
from api.store.batches import batches
from api.store.database import tenancy
from api.store.database.tables import AcknowledgementRow, DeliveryRow, ReportRow, ScreeningRow
from api.store.deliveries import search
from api.store.forms import links
from api.store.patients import legal_holds
from api.store.patients.patient_lookup import Person, linked_to, screening_ids
from api.store.screenings import events, screenings
from api.store.transaction import Transaction
from schemas.rights import Erased, KeptOnPatient, KeptReport

_STEP = 500


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
    if legal_holds.holding(work, person):
        raise Problem("held")
    sent = _batches(work, person, ids)
    released = legal_holds.released(work, person)
    if not ids and not linked and not sent and not released:
        raise Problem("not_found")
    legal_holds.refuse_held(work, sent)
    links.erase(work, [link.id for link, _ in linked])
    batches.drop(work, sent)
    erased = erase_screenings(work, ids).model_copy(
        update={"links": len(linked), "batches": len(sent)}
    )
    legal_holds.erase(work, released)
    return erased


def erase_batch(work: Transaction, batch_id: str) -> None:
    """Erase a batch with all that was sent and made. Raises Problem `held` as `erase` does."""
    tenancy.in_turn(work.session, work.organisation)
    legal_holds.refuse_held(work, [batch_id])
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
        deliveries=tuple(search.kept(work, ids)),
        holds=tuple(legal_holds.holding(work, person)),
        batches=tuple(batches.named_in(work, sent)),
    )


def _batches(work: Transaction, person: Person, ids: list[str]) -> list[str]:
    """The ids of batches that name the person, also by a number that these screenings came from."""
    numbers = {move.from_reference for each in ids for move in events.moves(work, each)}
    numbers.add(person.reference)
    return sorted({each for number in numbers for each in batches.naming(work, number)})


def _count(work: Transaction, table: Any, ids: list[str]) -> int:
    which = table.organisation_id == work.organisation, col(table.screening_id).in_(ids)
    return int(
        work.session.execute(select(func.count()).select_from(table).where(*which)).scalar_one()
    )
