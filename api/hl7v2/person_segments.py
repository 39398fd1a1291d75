"""People: the patient, the visit and the ordering clinician as segments and fields."""

from api.hl7v2.fields import composed, day, escaped, segment
from api.hl7v2.screening_event import Told
from schemas.patient import KnownPatient
from schemas.profile import V2Options


def patient(told: Told) -> str:
    """PID, with the number as the receiver's authority assigns it."""
    person, options = told.screening.patient, told.options
    number = _assigned(person.reference, person.system, options, options.patient_number_type)
    fields = {1: "1", 3: number, 5: _named(person)}
    if person.birth_date is not None:
        fields[7] = day(person.birth_date)
    return segment("PID", fields)


def visit(told: Told) -> str:
    """PV1, with the visit number where one was given."""
    fields = {1: "1", 2: escaped(told.options.patient_class)}
    if told.screening.patient.encounter is not None:
        fields[19] = composed(told.screening.patient.encounter)
    return segment("PV1", fields)


def clinician(told: Told) -> str:
    """Who ordered, as XCN: the number alone, since a name in one piece has no family name."""
    given = told.screening.context.clinician
    if given is None:
        return ""
    authority = told.options.clinician_authority
    return "^".join([escaped(given.reference), *[""] * 7, escaped(authority)]).rstrip("^")


def authority(system: str | None, options: V2Options) -> str:
    """An assigning authority as HD: by the receiver's own name, or by its OID or URI."""
    if system is None:
        return ""
    if system in options.authorities:
        return escaped(options.authorities[system])
    if system.startswith("urn:oid:"):
        return f"&{escaped(system.removeprefix('urn:oid:'))}&ISO"
    return f"&{escaped(system)}&URI"


def _assigned(number: str, system: str | None, options: V2Options, kind: str) -> str:
    parts = [escaped(number), "", "", authority(system, options), escaped(kind)]
    return "^".join(parts).rstrip("^")


def _named(person: KnownPatient) -> str:
    """`Family, Given` in its parts; a name in one piece as it is displayed; none as unknown."""
    if person.name is None:
        return "^^^^^^U"
    family, comma, given = (part.strip() for part in person.name.partition(","))
    if comma and family and given:
        return f"{escaped(family)}^{escaped(given)}^^^^^L"
    return f"{escaped(person.name)}^^^^^^D"
