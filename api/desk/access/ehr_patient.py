"""Reads the patient that an EHR names: the number, the name and the birth date of a Patient."""

from datetime import date
from typing import Any

from pydantic import ValidationError

from schemas.patients.patient import KnownPatient, find_day_fault


def build_known_patient(
    resource: dict[str, Any], system: str | None, fhir_url: str
) -> KnownPatient | None:
    """Return the patient by the one identifier in `system`; by its FHIR id without a system.

    None if there is no such identifier, or more than one.
    """
    if system is None:
        numbers = {str(resource.get("id"))}
    else:
        numbers = {
            identifier["value"].strip()
            for identifier in resource.get("identifier") or ()
            if isinstance(identifier, dict)
            and identifier.get("system") == system
            and identifier.get("use") != "old"
            and isinstance(identifier.get("value"), str)
        }
    if len(numbers) != 1:
        return None
    try:
        return KnownPatient(
            reference=numbers.pop(),
            system=system or fhir_url.rstrip("/"),
            name=_read_name(resource),
            birth_date=_read_birth_date(resource),
        )
    except ValidationError:
        return None


def _read_name(resource: dict[str, Any]) -> str | None:
    names = [name for name in resource.get("name") or () if isinstance(name, dict)]
    for name in sorted(names, key=lambda it: it.get("use") != "official"):
        if isinstance(name.get("text"), str):
            return str(name["text"])
        parts = [*(name.get("given") or ()), name.get("family")]
        text = " ".join(part for part in parts if isinstance(part, str))
        if text:
            return text
    return None


def _read_birth_date(resource: dict[str, Any]) -> date | None:
    try:
        day = date.fromisoformat(str(resource.get("birthDate")))
    except ValueError:
        return None
    return None if find_day_fault(day) else day
