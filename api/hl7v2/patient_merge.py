"""Parses ADT^A40 into patient merges, without applying them.

NotAMergeError    the sender must act; the message says which part is missing
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from api.hl7v2.acknowledgement import Fault
from api.hl7v2.parser import Message

_UNSUPPORTED = "200", "Unsupported message type"
_MISSING = "101", "Required field missing"
_UNKNOWN = "204", "Unknown key identifier"


class NotAMergeError(ValueError):
    """The message is no patient merge, or does not identify both patients."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class Numbered(NamedTuple):
    """A patient identifier and its system, if known."""

    reference: str
    system: str | None


class Merge(NamedTuple):
    """A retired patient identifier, and the one that survives."""

    retired: Numbered
    survivor: Numbered


def merges(message: Message, authorities: Mapping[str, str]) -> list[Merge]:
    """Parse the merges. `authorities` maps names of assigning authorities to identifier systems.

    Identifiers of unknown authorities are skipped, as long as others remain. Raises NotAMergeError.
    """
    header = message.first("MSH")
    message_type = message.word(header, 9), message.word(header, 9, 2)
    if message_type != ("ADT", "A40"):
        raise NotAMergeError(Fault(*_UNSUPPORTED, "expected ADT^A40"))
    requested = list(_parse_merges(message, authorities))
    if not requested:
        raise NotAMergeError(Fault(*_MISSING, "expected PID and MRG"))
    return requested


def _parse_merges(message: Message, authorities: Mapping[str, str]) -> Iterator[Merge]:
    survivors: list[Numbered] = []
    for segment in message.segments:
        if segment[0] == "PID":
            survivors = _parse_identifiers(message, segment, 3, authorities)
        if segment[0] == "MRG":
            retired = _parse_identifiers(message, segment, 1, authorities)
            if not retired or not survivors:
                raise NotAMergeError(
                    Fault(*_UNKNOWN, "expected a number of a known authority in PID-3 and in MRG-1")
                )
            yield from (
                Merge(identifier, _find_survivor(identifier, survivors)) for identifier in retired
            )


def _find_survivor(retired: Numbered, survivors: list[Numbered]) -> Numbered:
    """Find the only surviving identifier of the same system."""
    candidates = [survivor for survivor in survivors if survivor.system == retired.system]
    if len(candidates) != 1:
        raise NotAMergeError(
            Fault(*_UNKNOWN, "expected one number in PID-3 of the authority that MRG-1 names")
        )
    return candidates[0]


def _parse_identifiers(
    message: Message, segment: tuple[str, ...], field_number: int, authorities: Mapping[str, str]
) -> list[Numbered]:
    """Parse the identifiers in a field, skipping those of unknown authorities."""
    identifiers = []
    for components in message.repetitions(segment, field_number):
        with suppress(LookupError):
            system = _resolve_system(
                message, components[3] if len(components) > 3 else "", authorities
            )
            identifiers += (
                [Numbered(message.unescaped(components[0]), system)] if components[0] else []
            )
    return identifiers


def _resolve_system(message: Message, authority: str, authorities: Mapping[str, str]) -> str | None:
    """Return the identifier system of an assigning authority; None if the field is empty.

    Raises LookupError for an unknown authority.
    """
    parts = [message.unescaped(part) for part in authority.split(message.separators.part)]
    name, universal_id, universal_type = (*parts, "", "", "")[:3]
    if name in authorities:
        return authorities[name]
    if universal_id and universal_type == "ISO":
        return f"urn:oid:{universal_id}"
    if universal_id and universal_type in ("URI", "URL"):
        return universal_id
    if name or universal_id:
        raise LookupError("the assigning authority is not known here")
    return None
