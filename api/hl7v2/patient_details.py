"""Parses the patient of a message: number, name, birth date, visit, language and address."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from pydantic import ValidationError

from api.hl7v2.acknowledgement import Hl7ErrorDetail, RefusedMessageError
from api.hl7v2.parser import Hl7Message
from api.hl7v2.patient_merge import parse_identifiers
from schemas.notification import Medium, Recipient
from schemas.patients.patient import KnownPatient, find_day_fault

_PUNCTUATION = re.compile(r"[ ()/.-]")
_LANGUAGES = {"eng": "en", "deu": "de", "ger": "de", "spa": "es"}
_CONTACT_FIELDS = (13, 40)
"""The fields of PID with telephone numbers and e-mail addresses, by HL7 v2 version."""


def parse_patient(message: Hl7Message, authorities: Mapping[str, str]) -> KnownPatient:
    """Return the patient of a message. Raises RefusedMessageError unless the patient is certain."""
    segments = list(message.list_segments("PID"))
    if len(segments) != 1:
        detail = "PID: expected one patient in a message"
        raise _refuse("no_patient", "101", "Required field missing", detail)
    numbers = set(parse_identifiers(message, segments[0], 3, authorities))
    if len(numbers) != 1:
        detail = "PID-3: expected one identifier of a known authority"
        raise _refuse("patient_not_certain", "204", "Unknown key identifier", detail)
    (number,) = numbers
    given_name = message.read_component(segments[0], 5, 2).strip()
    family_name = message.read_component(segments[0], 5).strip()
    encounter = message.read_component(message.find_segment("PV1"), 19).strip()
    try:
        return KnownPatient(
            reference=number.reference,
            system=number.system,
            name=" ".join(filter(None, (given_name, family_name))) or None,
            birth_date=_parse_birth_date(message.read_component(segments[0], 7)),
            encounter=encounter or None,
        )
    except ValidationError as error:
        member = ".".join(map(str, error.errors()[0]["loc"]))
        detail = f"PID: expected a {member} without control characters, of at most 200 characters"
        raise _refuse("patient_not_valid", "102", "Data type error", detail) from None


def parse_language(message: Hl7Message, languages: tuple[str, ...]) -> str | None:
    """Return the patient's language if pages exist in it."""
    code = message.read_component(message.find_segment("PID"), 15).strip().casefold()[:3]
    language = _LANGUAGES.get(code, code[:2] if len(code) != 3 or code[2] in "-_" else "")
    return language if language in languages else None


def find_recipient(message: Hl7Message, mediums: tuple[Medium, ...]) -> Recipient | None:
    """Return the first address of the patient that can be written to, e-mail first."""
    recipients = [
        recipient
        for number in _CONTACT_FIELDS
        for components in message.read_repetitions(message.find_segment("PID"), number)
        for recipient in _parse_contact(tuple(map(message.unescape, components)))
    ]
    by_medium: dict[Any, Recipient] = {it.medium: it for it in reversed(recipients)}
    return next((by_medium[medium] for medium in mediums if medium in by_medium), None)


def _parse_contact(components: tuple[str, ...]) -> list[Recipient]:
    """Return the recipient of an XTN: an e-mail address, or a mobile number with country code."""
    text, use, equipment, email = (*components, "", "", "", "")[:4]
    unformatted = components[11] if len(components) > 11 else ""
    candidates: list[tuple[Medium, str]] = [("email", email.strip())]
    if use == "NET" or equipment == "Internet":
        candidates.append(("email", text.strip()))
    if equipment == "CP":
        candidates += [("sms", _PUNCTUATION.sub("", it)) for it in (unformatted, text)]
    recipients = []
    for medium, address in candidates:
        try:
            recipients.append(Recipient(medium=medium, address=address))
        except ValidationError:
            continue
    return recipients


def _parse_birth_date(text: str) -> date | None:
    """Return the day of a TS; None for a month, a year, or a day that cannot be."""
    try:
        day = datetime.strptime(text[:8], "%Y%m%d").date()  # noqa: DTZ007 - a day
    except ValueError:
        return None
    return None if find_day_fault(day) else day


def _refuse(reason: str, code: str, code_text: str, detail: str) -> RefusedMessageError:
    return RefusedMessageError(reason, Hl7ErrorDetail(code, code_text, detail))
