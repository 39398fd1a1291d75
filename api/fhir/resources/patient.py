"""Builds a Patient from screenings: number, name and birth date, and nothing else."""

import re

from api.fhir.elements import ID_PATTERN, Resource, build_identifier, format_instant
from api.store.patients.known_patients import PatientRecord

_RELATIVE = re.compile(rf"Patient/({ID_PATTERN})")


def derive_patient_id(record: PatientRecord) -> str:
    """Return the id by which responses name the patient, else that of the first screening."""
    match = _RELATIVE.fullmatch(_find_literal(record))
    return match[1] if match else record.first.id


def build_patient(record: PatientRecord) -> Resource:
    """Return the Patient; one that responses name by the address of another server links to it."""
    patient = record.patient
    literal = _find_literal(record)
    is_relative = _RELATIVE.fullmatch(literal) is not None
    resource: Resource = {
        "resourceType": "Patient",
        "id": derive_patient_id(record),
        "meta": {"lastUpdated": format_instant(record.latest.created_at)},
    }
    if not literal:
        resource["identifier"] = [build_identifier(patient.reference, patient.system)]
    if patient.name:
        resource["name"] = [{"text": patient.name}]
    if patient.birth_date:
        resource["birthDate"] = patient.birth_date.isoformat()
    if literal and not is_relative:
        resource["link"] = [{"other": {"reference": literal}, "type": "seealso"}]
    return resource


def _find_literal(record: PatientRecord) -> str:
    """Return the literal reference by which alone the first response names the patient."""
    fhir = record.first.context.fhir
    if fhir is None or fhir.subject is None or fhir.subject_identified:
        return ""
    return fhir.subject
