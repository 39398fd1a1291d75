"""Merging: ADT^A40 to who becomes whom. Translation only: nothing is moved here.

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
    """The message merges nobody, or does not say who."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


class Numbered(NamedTuple):
    """A patient by the number, and the system that numbers so."""

    reference: str
    system: str | None


class Merge(NamedTuple):
    """One patient's number that is no more, and the one that stays."""

    retired: Numbered
    survivor: Numbered


def merges(message: Message, authorities: Mapping[str, str]) -> list[Merge]:
    """Who becomes whom. `authorities` gives the system for an assigning authority's name.

    Numbers of authorities that are not known here are passed over, as long as others are left.
    Raises NotAMergeError.
    """
    header = message.first("MSH")
    kind = message.word(header, 9), message.word(header, 9, 2)
    if kind != ("ADT", "A40"):
        raise NotAMergeError(Fault(*_UNSUPPORTED, "expected ADT^A40"))
    found = list(_merges(message, authorities))
    if not found:
        raise NotAMergeError(Fault(*_MISSING, "expected PID and MRG"))
    return found


def _merges(message: Message, authorities: Mapping[str, str]) -> Iterator[Merge]:
    survivors: list[Numbered] = []
    for segment in message.segments:
        if segment[0] == "PID":
            survivors = _numbered(message, segment, 3, authorities)
        if segment[0] == "MRG":
            retired = _numbered(message, segment, 1, authorities)
            if not retired or not survivors:
                raise NotAMergeError(
                    Fault(*_UNKNOWN, "expected a number of a known authority in PID-3 and in MRG-1")
                )
            yield from (Merge(each, _survivor(each, survivors)) for each in retired)


def _survivor(retired: Numbered, survivors: list[Numbered]) -> Numbered:
    """The number of the same system; the only one, where there is but one and none says which."""
    same = [each for each in survivors if each.system == retired.system]
    if len(same) != 1:
        raise NotAMergeError(
            Fault(*_UNKNOWN, "expected one number in PID-3 of the authority that MRG-1 names")
        )
    return same[0]


def _numbered(
    message: Message, segment: tuple[str, ...], number: int, authorities: Mapping[str, str]
) -> list[Numbered]:
    """The numbers in a field, but for those of authorities that are not known here."""
    found = []
    for each in message.repetitions(segment, number):
        with suppress(LookupError):
            system = _system(message, each[3] if len(each) > 3 else "", authorities)
            found += [Numbered(message.unescaped(each[0]), system)] if each[0] else []
    return found


def _system(message: Message, authority: str, authorities: Mapping[str, str]) -> str | None:
    """The system that an assigning authority numbers for; None where it names none.

    Raises LookupError for an authority that is not known here.
    """
    parts = [message.unescaped(each) for each in authority.split(message.separators.part)]
    name, universal, kind = (*parts, "", "", "")[:3]
    if name in authorities:
        return authorities[name]
    if universal and kind == "ISO":
        return f"urn:oid:{universal}"
    if universal and kind in ("URI", "URL"):
        return universal
    if name or universal:
        raise LookupError("the assigning authority is not known here")
    return None
