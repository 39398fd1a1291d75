"""Parses ADT^A40 into patient merges, without applying them.

NotAMergeError    the sender must act; the message says which part is missing
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from api.hl7v2.acknowledgement import Hl7ErrorDetail
from api.hl7v2.parser import Hl7Message
from schemas.patient import PatientNumber

MAX_MERGES = 20
"""Merges in one message: a sender that merges more sends more messages."""

_NULL = '""'
"""What HL7 v2 writes in a field to delete its value."""

_UNSUPPORTED = "200", "Unsupported message type"
_MISSING = "101", "Required field missing"
_UNKNOWN = "204", "Unknown key identifier"
_SEQUENCE = "100", "Segment sequence error"


class NotAMergeError(ValueError):
    """The message is no patient merge, or does not identify both patients."""

    def __init__(self, error_detail: Hl7ErrorDetail) -> None:
        super().__init__(error_detail.detail)
        self.error_detail = error_detail


class PatientMerge(NamedTuple):
    """A retired patient identifier, and the one that survives."""

    retired: PatientNumber
    survivor: PatientNumber


def parse_merges(message: Hl7Message, authorities: Mapping[str, str]) -> list[PatientMerge]:
    """Parse the merges. `authorities` maps names of assigning authorities to identifier systems.

    Identifiers of unknown authorities are skipped, as long as others remain. Blanks at the ends are
    no part of an identifier, and the null value `""` is none. Raises NotAMergeError.
    """
    header = message.find_segment("MSH")
    message_type = message.read_component(header, 9), message.read_component(header, 9, 2)
    if message_type != ("ADT", "A40"):
        raise NotAMergeError(Hl7ErrorDetail(*_UNSUPPORTED, "expected ADT^A40"))
    requested = list(islice(_parse_merges(message, authorities), MAX_MERGES + 1))
    if len(requested) > MAX_MERGES:
        raise NotAMergeError(Hl7ErrorDetail(*_SEQUENCE, f"expected at most {MAX_MERGES} merges"))
    if not requested:
        raise NotAMergeError(Hl7ErrorDetail(*_MISSING, "expected PID and MRG"))
    return requested


def _parse_merges(message: Hl7Message, authorities: Mapping[str, str]) -> Iterator[PatientMerge]:
    survivors: list[PatientNumber] = []
    for segment in message.segments:
        if segment[0] == "PID":
            survivors = _parse_identifiers(message, segment, 3, authorities)
        if segment[0] == "MRG":
            retired = _parse_identifiers(message, segment, 1, authorities)
            if not retired or not survivors:
                raise NotAMergeError(
                    Hl7ErrorDetail(
                        *_UNKNOWN, "expected an identifier of a known authority in PID-3 and MRG-1"
                    )
                )
            yield from (
                PatientMerge(identifier, _find_survivor(identifier, survivors))
                for identifier in retired
            )


def _find_survivor(retired: PatientNumber, survivors: list[PatientNumber]) -> PatientNumber:
    """Find the only surviving identifier of the same system."""
    candidates = [survivor for survivor in survivors if survivor.system == retired.system]
    if len(candidates) != 1:
        raise NotAMergeError(
            Hl7ErrorDetail(*_UNKNOWN, "expected one identifier in PID-3 of the authority in MRG-1")
        )
    return candidates[0]


def _parse_identifiers(
    message: Hl7Message, segment: tuple[str, ...], field_number: int, authorities: Mapping[str, str]
) -> list[PatientNumber]:
    """Parse the identifiers in a field, skipping those of unknown authorities."""
    identifiers = []
    for components in message.read_repetitions(segment, field_number):
        with suppress(LookupError):
            authority = components[3] if len(components) > 3 else ""
            system = _resolve_system(message, authority, authorities)
            reference = message.unescape(components[0]).strip(" ")
            if reference not in ("", _NULL):
                identifiers.append(PatientNumber(reference, system))
    return identifiers


def _resolve_system(
    message: Hl7Message, authority: str, authorities: Mapping[str, str]
) -> str | None:
    """Return the identifier system of an assigning authority; None if the field is empty.

    Raises LookupError for an unknown authority.
    """
    parts = [message.unescape(part) for part in authority.split(message.separators.subcomponent)]
    name, universal_id, universal_type = (*parts, "", "", "")[:3]
    if name in authorities:
        return authorities[name]
    if universal_id and universal_type == "ISO":
        return f"urn:oid:{universal_id}"
    if universal_id and universal_type in ("URI", "URL"):
        return universal_id
    if name or universal_id:
        raise LookupError("unknown assigning authority")
    return None
