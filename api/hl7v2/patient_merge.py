"""Parses messages that merge patient numbers, without applying the merges.

Other messages concern no number here and are passed over, except those that change numbers in ways
that are not carried out: those are refused, so that no sender believes in a change that never was.

NotAMergeError    the sender must act; the message says which part is missing
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from api.hl7v2.acknowledgement import Hl7ErrorDetail, RefusedMessageError
from api.hl7v2.parser import Hl7Message
from schemas.patients.patient import PatientNumber

MAX_MERGES = 20
"""Merges in one message: a sender that merges more sends more messages."""

_NULL = '""'
"""What HL7 v2 writes in a field to delete its value."""

MERGE_EVENTS = frozenset({"A18", "A34", "A36", "A40", "A47"})
"""The ADT events whose MRG-1 is the retired number of the patient in PID-3."""
_REFUSED_EVENTS = frozenset({"A24", "A30", "A37", "A39", "A42", "A43", "A44", "A45", "A46", "A50"})
"""The ADT events that link, move or change numbers of patients or visits otherwise."""
_ACCOUNT_EVENTS = frozenset({"A35", "A41", "A49"})
"""The ADT events whose MRG segment is about an account, which is not stored here."""

_UNSUPPORTED = "201", "Unsupported event code"
_MISSING = "101", "Required field missing"
_UNKNOWN = "204", "Unknown key identifier"
_SEQUENCE = "100", "Segment sequence error"


class NotAMergeError(RefusedMessageError):
    """The message is no patient merge, or does not identify its patients."""

    def __init__(self, error_detail: Hl7ErrorDetail) -> None:
        super().__init__("not_a_merge", error_detail)


class PatientMerge(NamedTuple):
    """A retired patient identifier, and the one that survives."""

    retired: PatientNumber
    survivor: PatientNumber


def parse_merges(message: Hl7Message, authorities: Mapping[str, str]) -> list[PatientMerge]:
    """Parse the merges; none if the message concerns no number of a patient.

    `authorities` maps names of assigning authorities to identifier systems; the empty name stands
    for numbers without an authority. Identifiers of unknown authorities are skipped, as long as
    others remain. Blanks at its ends are not part of an identifier, and the null `""` is not one.
    Raises NotAMergeError.
    """
    if not _is_merge(message):
        return []
    requested = list(islice(_parse_merges(message, authorities), MAX_MERGES + 1))
    if len(requested) > MAX_MERGES:
        raise NotAMergeError(Hl7ErrorDetail(*_SEQUENCE, f"expected at most {MAX_MERGES} merges"))
    if not requested:
        raise NotAMergeError(Hl7ErrorDetail(*_MISSING, "expected PID and MRG"))
    return requested


def _is_merge(message: Hl7Message) -> bool:
    """Return whether to carry out a merge. Raises NotAMergeError for other changes of numbers."""
    header = message.find_segment("MSH")
    message_type, event = message.read_component(header, 9), message.read_component(header, 9, 2)
    event = event or message.read_component(message.find_segment("EVN"), 1)
    if not message_type:
        raise NotAMergeError(Hl7ErrorDetail(*_MISSING, "MSH-9: expected a message type"))
    if message_type == "ADT" and event in MERGE_EVENTS:
        return True
    changes_numbers = message_type == "ADT" and event in _REFUSED_EVENTS
    has_merge = any(message.list_segments("MRG")) and event not in _ACCOUNT_EVENTS
    if changes_numbers or has_merge:
        expected = ", ".join(f"ADT^{name}" for name in sorted(MERGE_EVENTS))
        detail = f"expected {expected}, or an event that changes no number"
        raise NotAMergeError(Hl7ErrorDetail(*_UNSUPPORTED, detail))
    return False


def _parse_merges(message: Hl7Message, authorities: Mapping[str, str]) -> Iterator[PatientMerge]:
    survivors: list[PatientNumber] = []
    for segment in message.segments:
        if segment[0] == "PID":
            survivors = parse_identifiers(message, segment, 3, authorities)
        if segment[0] == "MRG":
            retired = parse_identifiers(message, segment, 1, authorities)
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


def parse_identifiers(
    message: Hl7Message,
    segment: tuple[str, ...],
    field_number: int,
    authorities: Mapping[str, str],
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


def _resolve_system(message: Hl7Message, authority: str, authorities: Mapping[str, str]) -> str:
    """Return the identifier system of an assigning authority.

    Raises LookupError for an unknown authority, and NotAMergeError for one whose name and universal
    id contradict each other.
    """
    parts = [message.unescape(part) for part in authority.split(message.separators.subcomponent)]
    name, universal_id, universal_type = (*parts, "", "", "")[:3]
    system = _name_universal_system(universal_id, universal_type)
    if name not in authorities:
        if system is None:
            raise LookupError("unknown assigning authority")
        return system
    if not name and system is not None:
        return system
    if universal_id and not _is_same(authorities[name], universal_id, system):
        detail = "expected an assigning authority whose name and universal id are the same"
        raise NotAMergeError(Hl7ErrorDetail(*_UNKNOWN, detail))
    return authorities[name]


def _name_universal_system(universal_id: str, universal_type: str) -> str | None:
    """Return the identifier system that a universal id names; None if it names none."""
    if universal_id and universal_type == "ISO":
        return f"urn:oid:{universal_id}"
    return universal_id if universal_id and universal_type in ("URI", "URL") else None


def _is_same(configured: str, universal_id: str, system: str | None) -> bool:
    """Return whether a universal id can be that of the configured system.

    Only an OID can be compared with an OID, and a URI with a URI; other types are names.
    """
    if system is not None:
        is_comparable = system.startswith("urn:oid:") == configured.startswith("urn:oid:")
        return system == configured or not is_comparable
    is_oid = universal_id.replace(".", "").isdigit()
    return not is_oid or configured == f"urn:oid:{universal_id}"
