"""A patient's data-subject rights: export and erasure of everything stored on the patient."""

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


def erase(work: Transaction, patient: Person) -> Erased:
    """Erase everything stored on a patient except the audit, which holds no patient data.

    A batch that names the reference, or one merged into it, is erased whole with its reports; its
    sender has the file.

    Raises Problem `not_found` if nothing is stored, `held` if the patient, or another patient named
    in such a batch, is under a legal hold, `conflict` if several systems use the reference.
    """
    tenancy.in_turn(work.session, work.organisation)
    link_rows = linked_to(work, patient)
    ids = screening_ids(work, patient, link_rows)
    if legal_holds.holding(work, patient):
        raise Problem("held")
    batch_ids = _list_batch_ids(work, patient, ids)
    hold_ids = legal_holds.released(work, patient)
    if not ids and not link_rows and not batch_ids and not hold_ids:
        raise Problem("not_found")
    legal_holds.refuse_held(work, batch_ids)
    links.erase(work, [link.id for link, _ in link_rows])
    batches.drop(work, batch_ids)
    counts = erase_screenings(work, ids).model_copy(
        update={"links": len(link_rows), "batches": len(batch_ids)}
    )
    legal_holds.erase(work, hold_ids)
    return counts


def erase_batch(work: Transaction, batch_id: str) -> None:
    """Erase a batch with its rows and results.

    Raises Problem `held` if the batch names a patient under a legal hold.
    """
    tenancy.in_turn(work.session, work.organisation)
    legal_holds.refuse_held(work, [batch_id])
    batches.drop(work, [batch_id])


def erase_screenings(work: Transaction, ids: list[str]) -> Erased:
    """Erase screenings with their dependent rows and return the counts.

    A correction must precede the screening it replaces, as `sort_latest_first` orders them.
    """
    counts: Counter[str] = Counter()
    for start in range(0, len(ids), _STEP):
        step_ids = ids[start : start + _STEP]
        for table in (ReportRow, AcknowledgementRow, DeliveryRow):
            counts[str(table.__tablename__)] += _count_rows(work, table, step_ids)
        work.session.execute(
            delete(ScreeningRow).where(
                col(ScreeningRow.organisation_id) == work.organisation,
                col(ScreeningRow.id).in_(step_ids),
            )
        )
    return Erased(
        screenings=len(ids),
        reports=counts["report"],
        acknowledgements=counts["acknowledgement"],
        deliveries=counts["delivery"],
    )


def export(work: Transaction, patient: Person) -> KeptOnPatient:
    """Return everything stored on a patient.

    Raises Problem `not_found` if there is nothing, `conflict` if several systems use the reference.
    """
    link_rows = linked_to(work, patient)
    ids = screening_ids(work, patient, link_rows)
    batch_ids = _list_batch_ids(work, patient, ids)
    if not ids and not link_rows and not batch_ids:
        raise Problem("not_found")
    return KeptOnPatient(
        links=tuple(links.kept(work, *row) for row in link_rows),
        screenings=tuple(screenings.found(work, screening_id) for screening_id in ids),
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
        holds=tuple(legal_holds.holding(work, patient)),
        batches=tuple(batches.named_in(work, batch_ids)),
    )


def _list_batch_ids(work: Transaction, patient: Person, ids: list[str]) -> list[str]:
    """Return the ids of batches that name the patient, also by a number merged into this one."""
    numbers = {
        move.from_reference for screening_id in ids for move in events.moves(work, screening_id)
    } | {patient.reference}
    return sorted({batch_id for number in numbers for batch_id in batches.naming(work, number)})


def _count_rows(work: Transaction, table: Any, ids: list[str]) -> int:
    conditions = table.organisation_id == work.organisation, col(table.screening_id).in_(ids)
    return int(
        work.session.execute(
            select(func.count()).select_from(table).where(*conditions)
        ).scalar_one()
    )
