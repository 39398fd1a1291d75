"""Builds the segments and fields for the patient, the visit and the ordering clinician."""

from api.hl7v2.fields import composed, day, escaped, segment
from api.hl7v2.screening_event import Told
from schemas.patient import KnownPatient
from schemas.profile import V2Options


def patient(event: Told) -> str:
    """Build PID, with the patient's identifier as the receiver's authority assigns it."""
    person, options = event.screening.patient, event.options
    identifier = _encode_identifier(
        person.reference, person.system, options, options.patient_number_type
    )
    fields = {1: "1", 3: identifier, 5: _encode_name(person)}
    if person.birth_date is not None:
        fields[7] = day(person.birth_date)
    return segment("PID", fields)


def visit(event: Told) -> str:
    """Build PV1, with the visit number if the intake has one."""
    fields = {1: "1", 2: escaped(event.options.patient_class)}
    if event.screening.patient.encounter is not None:
        fields[19] = composed(event.screening.patient.encounter)
    return segment("PV1", fields)


def clinician(event: Told) -> str:
    """Encode the ordering clinician as XCN: the id alone, as names here have no separate parts."""
    ordering_clinician = event.screening.context.clinician
    if ordering_clinician is None:
        return ""
    authority = event.options.clinician_authority
    return "^".join([escaped(ordering_clinician.reference), *[""] * 7, escaped(authority)]).rstrip(
        "^"
    )


def authority(system: str | None, options: V2Options) -> str:
    """Encode an assigning authority as HD: the receiver's name for it, or its OID or URI."""
    if system is None:
        return ""
    if system in options.authorities:
        return escaped(options.authorities[system])
    if system.startswith("urn:oid:"):
        return f"&{escaped(system.removeprefix('urn:oid:'))}&ISO"
    return f"&{escaped(system)}&URI"


def _encode_identifier(
    identifier: str, system: str | None, options: V2Options, identifier_type: str
) -> str:
    parts = [escaped(identifier), "", "", authority(system, options), escaped(identifier_type)]
    return "^".join(parts).rstrip("^")


def _encode_name(person: KnownPatient) -> str:
    """Encode a name as XPN: `Family, Given` in parts, others as display names, none as unknown."""
    if person.name is None:
        return "^^^^^^U"
    family, comma, given = (part.strip() for part in person.name.partition(","))
    if comma and family and given:
        return f"{escaped(family)}^{escaped(given)}^^^^^L"
    return f"{escaped(person.name)}^^^^^^D"
