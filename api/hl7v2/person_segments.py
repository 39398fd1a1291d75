"""Builds the segments and fields for the patient, the visit and the ordering clinician."""

from api.hl7v2.fields import build_segment, escape_text, format_date, join_components
from api.hl7v2.screening_event import ScreeningEvent
from schemas.organisations.profile import V2Options
from schemas.patients.patient import KnownPatient


def build_pid(event: ScreeningEvent) -> str:
    """Build PID, with the patient's identifier as the receiver's authority assigns it."""
    person, options = event.screening.patient, event.options
    identifier = _encode_identifier(
        person.reference, person.system, options, options.patient_number_type
    )
    fields = {1: "1", 3: identifier, 5: _encode_name(person)}
    if person.birth_date is not None:
        fields[7] = format_date(person.birth_date)
    return build_segment("PID", fields)


def build_pv1(event: ScreeningEvent) -> str:
    """Build PV1, with the visit number if the intake has one."""
    fields = {1: "1", 2: escape_text(event.options.patient_class)}
    if event.screening.patient.encounter is not None:
        fields[19] = join_components(event.screening.patient.encounter)
    return build_segment("PV1", fields)


def encode_clinician(event: ScreeningEvent) -> str:
    """Encode the ordering clinician as XCN: the id alone, as names here have no separate parts."""
    ordering_clinician = event.screening.context.clinician
    if ordering_clinician is None:
        return ""
    authority = event.options.clinician_authority
    return "^".join(
        [escape_text(ordering_clinician.reference), *[""] * 7, escape_text(authority)]
    ).rstrip("^")


def encode_order_number(event: ScreeningEvent) -> str:
    """Encode the placer order number as EI: the first order that a FHIR response answers."""
    fhir = event.screening.context.fhir
    return join_components(fhir.orders[0]) if fhir is not None and fhir.orders else ""


def encode_authority(system: str | None, options: V2Options) -> str:
    """Encode an assigning authority as HD: the receiver's name for it, or its OID or URI."""
    if system is None:
        return ""
    if system in options.authorities:
        return escape_text(options.authorities[system])
    if system.startswith("urn:oid:"):
        return f"&{escape_text(system.removeprefix('urn:oid:'))}&ISO"
    return f"&{escape_text(system)}&URI"


def _encode_identifier(
    identifier: str, system: str | None, options: V2Options, identifier_type: str
) -> str:
    parts = [
        escape_text(identifier),
        "",
        "",
        encode_authority(system, options),
        escape_text(identifier_type),
    ]
    return "^".join(parts).rstrip("^")


def _encode_name(person: KnownPatient) -> str:
    """Encode a name as XPN: `Family, Given` in parts, others as display names, none as unknown."""
    if person.name is None:
        return "^^^^^^U"
    family_name, comma, given_name = (part.strip() for part in person.name.partition(","))
    if comma and family_name and given_name:
        return f"{escape_text(family_name)}^{escape_text(given_name)}^^^^^L"
    return f"{escape_text(person.name)}^^^^^^D"
