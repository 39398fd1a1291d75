"""Finds patients in the screenings: name, number and birth date, and the first screening of each.

The id of the first screening names the patient where a number must not be shown.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlmodel import col

from api.store.database.tables import ScreeningRow
from api.store.patients.patient_lookup import PatientSelector, build_patient_filter
from api.store.screenings import screenings
from api.store.screenings.conditions import IS_IN_FORCE
from api.store.transaction import Transaction
from schemas.patients.patient import KnownPatient
from schemas.patients.screening import Screening


class PatientRecord(NamedTuple):
    """A patient as the latest screening in force names them, with the first and this screening.

    If all were entered in error, the latest of all.
    """

    patient: KnownPatient
    first: Screening
    latest: Screening


def list_patient_records(work: Transaction, patient: PatientSelector) -> list[PatientRecord]:
    """Return a record for each system in which the reference is a patient's, oldest first."""
    query = work.select(ScreeningRow).where(*build_patient_filter(work, ScreeningRow, patient))
    rows = work.list_rows(query.order_by(col(ScreeningRow.created_at), col(ScreeningRow.id)))
    ids_in_force = {*_list_ids_in_force(work, patient)}
    ids_by_system: dict[str | None, list[str]] = {}
    for row in rows:
        system = screenings.decrypt_patient(work, row).system
        ids_by_system.setdefault(system, []).append(row.id)
    return [_build_record(work, ids, ids_in_force) for ids in ids_by_system.values()]


def find_record_of_screening(work: Transaction, screening_id: str) -> PatientRecord:
    """Return the record of the patient of a screening. Raises NotFoundError."""
    patient = screenings.find_screening(work, screening_id).patient
    selector = PatientSelector(patient.reference, patient.system, patient.system is None)
    (record,) = list_patient_records(work, selector)
    return record


def _list_ids_in_force(work: Transaction, patient: PatientSelector) -> Sequence[str]:
    conditions = build_patient_filter(work, ScreeningRow, patient)
    return work.list_rows(work.select(ScreeningRow.id).where(*conditions, IS_IN_FORCE))


def _build_record(work: Transaction, ids: list[str], ids_in_force: set[str]) -> PatientRecord:
    latest_id = next((it for it in reversed(ids) if it in ids_in_force), ids[-1])
    latest = screenings.find_screening(work, latest_id)
    first = latest if ids[0] == latest_id else screenings.find_screening(work, ids[0])
    return PatientRecord(latest.patient, first, latest)
