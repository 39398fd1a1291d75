"""A patient's latest screening that is in force, under any of the patient's numbers."""

from collections.abc import Iterable, Iterator

from sqlalchemy import bindparam, select
from sqlmodel import col

from api.store.database.prepared_queries import OrganisationQuery
from api.store.database.tables import ScreeningRow
from api.store.screenings import screenings
from api.store.screenings.conditions import FIRST_STORED_AT, IS_IN_FORCE
from api.store.transaction import Transaction
from schemas.patients.patient import PatientNumber
from schemas.patients.screening import Screening

_LATEST_OF_NUMBER = OrganisationQuery(
    select(
        FIRST_STORED_AT.label("first_stored_at"), col(ScreeningRow.created_at), col(ScreeningRow.id)
    )
    .where(
        col(ScreeningRow.patient_index) == bindparam("reference"),
        col(ScreeningRow.system_index) == bindparam("system"),
        col(ScreeningRow.rulebook).like(bindparam("rulebook"), escape="/"),
        IS_IN_FORCE,
    )
    .order_by(
        FIRST_STORED_AT.desc(), col(ScreeningRow.created_at).desc(), col(ScreeningRow.id).desc()
    )
    .limit(1)
)


def find_latest_screening(
    work: Transaction, numbers: Iterable[PatientNumber], instrument: str
) -> Screening | None:
    """Return the newest screening in force under one of these numbers and systems, or None.

    Rescoring old answers does not make them newer.
    """
    rulebook = instrument.replace("_", "/_") + "@%"
    rows = [
        tuple(row)
        for number in numbers
        for hashes in _hash_number(work, number)
        for row in work.fetch(_LATEST_OF_NUMBER, **hashes, rulebook=rulebook)
    ]
    return screenings.find_screening(work, max(rows)[-1]) if rows else None


def _hash_number(work: Transaction, number: PatientNumber) -> Iterator[dict[str, bytes]]:
    """Yield the keyed hashes of a number by each data key: a row has both by the same key."""
    references = work.data_keys.compute_keyed_hashes("patient_index", number.reference)
    systems = work.data_keys.compute_keyed_hashes("system_index", number.system)
    for reference, system in zip(references, systems, strict=True):
        yield {"reference": reference, "system": system}
