"""Parses messages into segments, by the separators and character set that each declares.

UnreadableMessageError    the sender must act; the message names the field, never its content
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

CODECS: Mapping[str, str] = {
    "": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "8859/1": "latin-1",
    "ASCII": "ascii",
}
MAX_SEGMENTS = 500
MAX_MESSAGE_BYTES = 256 * 1024
_CHARACTER_SET = re.compile(rb"^MSH(.)(?:[^\r\n]*?\1){16}([^\r\n]*?)(?:\1|\r|\n|$)")


class UnreadableMessageError(ValueError):
    """The message is malformed or ambiguous."""


class Separators(NamedTuple):
    """The separators, in the order of MSH-1 and MSH-2."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str


class Hl7Message(NamedTuple):
    """A parsed message: segments as tuples of raw fields, unescaped on access by component."""

    separators: Separators
    segments: tuple[tuple[str, ...], ...]

    def list_segments(self, name: str) -> Iterator[tuple[str, ...]]:
        """Return the segments of this name, in order."""
        return (segment for segment in self.segments if segment[0] == name)

    def find_segment(self, name: str) -> tuple[str, ...]:
        """Return the first segment of this name, or an empty one."""
        return next(self.list_segments(name), (name,))

    def read_field(self, segment: tuple[str, ...], number: int) -> str:
        """Return a raw field; empty if the segment is shorter."""
        index = number - 1 if segment[0] == "MSH" else number
        return segment[index] if index < len(segment) else ""

    def read_repetitions(self, segment: tuple[str, ...], number: int) -> list[tuple[str, ...]]:
        """Return the components of each repetition of a field."""
        field = self.read_field(segment, number)
        return [
            tuple(repetition.split(self.separators.component))
            for repetition in field.split(self.separators.repetition)
            if repetition
        ]

    def read_component(self, segment: tuple[str, ...], number: int, component: int = 1) -> str:
        """Return an unescaped component of a field's first repetition; empty if absent."""
        components = next(iter(self.read_repetitions(segment, number)), ())
        return self.unescape(components[component - 1]) if component <= len(components) else ""

    def unescape(self, text: str) -> str:
        """Unescape a text. Raises UnreadableMessageError for an unknown escape sequence."""
        escape = re.escape(self.separators.escape)
        return re.sub(f"{escape}([^{escape}]*){escape}", self._unescape_match, text)

    def _unescape_match(self, match: "re.Match[str]") -> str:
        field, component, repetition, escape, part = self.separators
        characters = {
            "F": field,
            "S": component,
            "R": repetition,
            "E": escape,
            "T": part,
            ".br": "\n",
        }
        sequence = match[1]
        if sequence in characters:
            return characters[sequence]
        if re.fullmatch(r"X(?:[0-9A-Fa-f]{2}){1,20}", sequence):
            return bytes.fromhex(sequence[1:]).decode("latin-1")
        raise UnreadableMessageError("unknown escape sequence")


def parse_hl7_message(message: bytes) -> Hl7Message:
    """Parse a message. Without MSH-18 it is read as UTF-8, or else as ISO 8859-1.

    Raises UnreadableMessageError.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise UnreadableMessageError(f"expected at most {MAX_MESSAGE_BYTES} bytes")
    return _parse_text(_decode(message))


def parse_header(message: bytes) -> Hl7Message | None:
    """Parse only the MSH segment of an unreadable message; None if that fails too."""
    line = re.split(rb"[\r\n]", message, maxsplit=1)[0]
    try:
        return _parse_text(line.decode("ascii", "ignore"))
    except UnreadableMessageError:
        return None


def _parse_text(text: str) -> Hl7Message:
    lines = text.replace("\r\n", "\r").replace("\n", "\r").rstrip("\r").split("\r")
    header = lines[0]
    if not header.startswith("MSH") or len(header) < 9:
        raise UnreadableMessageError("expected a message to begin with MSH and its separators")
    field, marks = header[3], header[4:8]
    if header[8] != field or len({field, *marks}) != 5 or any(map(str.isalnum, field + marks)):
        raise UnreadableMessageError("expected five different separators in MSH-1 and MSH-2")
    separators = Separators(field, *marks)
    if len(lines) > MAX_SEGMENTS:
        raise UnreadableMessageError(f"expected at most {MAX_SEGMENTS} segments")
    segments = tuple(tuple(line.split(field)) for line in lines)
    if not all(re.fullmatch(r"[A-Z][A-Z0-9]{2}", line[0]) for line in segments):
        raise UnreadableMessageError("expected each segment to begin with its name")
    return Hl7Message(separators, segments)


def _decode(message: bytes) -> str:
    match = _CHARACTER_SET.match(message)
    character_set = match[2].decode("ascii", "replace").split("~")[0].strip() if match else ""
    if character_set not in CODECS:
        raise UnreadableMessageError("MSH-18: expected UNICODE UTF-8, 8859/1 or ASCII")
    try:
        return message.decode(CODECS[character_set])
    except UnicodeDecodeError:
        if not character_set:
            return message.decode("latin-1")
        raise UnreadableMessageError("expected the characters that MSH-18 names") from None
