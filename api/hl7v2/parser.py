"""Parses messages into segments, by the separators and character set that each declares.

UnreadableMessageError    the sender must act; the message names the field, never its content
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from api.hl7v2.character_sets import find_codec

MAX_SEGMENTS = 500
MAX_MESSAGE_BYTES = 256 * 1024
_FORMATTING = re.compile(r"[HN]|\.(?:sp|ce|in|ti|sk|fi|nf)(?:[+-]?\d{1,3})?")
"""Escape sequences that only change how a text looks: highlighting, lines and indents."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DEFAULT_SUBCOMPONENT = "&"
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
    codec: str = "utf-8"

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
        if not self.separators.escape:
            return text
        escape = re.escape(self.separators.escape)
        hexadecimal = f"(?:{escape}X(?:[0-9A-Fa-f]{{2}}){{1,20}}{escape})+"
        return re.sub(f"{hexadecimal}|{escape}([^{escape}]*){escape}", self._unescape_match, text)

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
        if sequence is None:
            return self._decode_bytes(match[0])
        if sequence in characters:
            return characters[sequence]
        if _FORMATTING.fullmatch(sequence):
            return "\n" if sequence[1:3] in ("sp", "ce") else ""
        raise UnreadableMessageError("unknown escape sequence")

    def _decode_bytes(self, escaped: str) -> str:
        """Decode adjacent hexadecimal escapes in the message's own character set."""
        digits = escaped.replace(self.separators.escape, "").replace("X", "")
        try:
            return bytes.fromhex(digits).decode(self.codec)
        except UnicodeDecodeError:
            raise UnreadableMessageError("expected escaped bytes of the character set") from None


def parse_hl7_message(message: bytes) -> Hl7Message:
    """Parse a message. Without MSH-18 it is read as UTF-8, or else as ISO 8859-1.

    Raises UnreadableMessageError.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise UnreadableMessageError(f"expected at most {MAX_MESSAGE_BYTES} bytes")
    content = message.removeprefix(_BYTE_ORDER_MARK).lstrip(b"\r\n")
    return _parse_text(*_decode(content))


def parse_header(message: bytes) -> Hl7Message | None:
    """Parse only the MSH segment of an unreadable message; None if that fails too."""
    line = re.split(rb"[\r\n]", message, maxsplit=1)[0]
    try:
        return _parse_text(line.decode("ascii", "ignore"), "ascii")
    except UnreadableMessageError:
        return None


def _parse_text(text: str, codec: str) -> Hl7Message:
    lines = text.replace("\r\n", "\r").replace("\n", "\r").rstrip("\r").split("\r")
    lines = [line for line in lines if line.strip(" \t")]
    header = lines[0] if lines else ""
    if not header.startswith("MSH") or len(header) < 8:
        raise UnreadableMessageError("expected a message to begin with MSH and its separators")
    separators = _parse_separators(header)
    field = separators.field
    if len(lines) > MAX_SEGMENTS:
        raise UnreadableMessageError(f"expected at most {MAX_SEGMENTS} segments")
    segments = tuple(tuple(line.split(field)) for line in lines)
    if not all(re.fullmatch(r"[A-Z][A-Z0-9]{2}", line[0]) for line in segments):
        raise UnreadableMessageError("expected each segment to begin with its name")
    return Hl7Message(separators, segments, codec)


def _parse_separators(header: str) -> Separators:
    """Parse MSH-1 and MSH-2: three characters leave out the subcomponent's, five truncate."""
    field, marks = header[3], header[4:].partition(header[3])[0]
    is_closed = len(header) > 4 + len(marks)
    is_different = len({field, *marks}) == 1 + len(marks)
    if not 3 <= len(marks) <= 5 or not (is_closed and is_different):
        raise UnreadableMessageError("expected three to five different separators in MSH-2")
    if any(map(str.isalnum, field + marks)):
        raise UnreadableMessageError("expected separators that are not letters or digits")
    subcomponent = marks[3:4] or _DEFAULT_SUBCOMPONENT
    if len(marks) == 3 and subcomponent in field + marks:
        raise UnreadableMessageError("expected a separator of subcomponents in MSH-2")
    return Separators(field, marks[0], marks[1], marks[2], subcomponent)


def _decode(message: bytes) -> tuple[str, str]:
    """Return the text of a message and its codec."""
    match = _CHARACTER_SET.match(message)
    name = match[2].decode("ascii", "replace").split("~")[0].strip() if match else ""
    codec = find_codec(name)
    if codec is None:
        raise UnreadableMessageError("MSH-18: expected UNICODE UTF-8, 8859/1 to 8859/16 or ASCII")
    try:
        return message.decode(codec), codec
    except UnicodeDecodeError:
        if not name:
            return message.decode("latin-1"), "latin-1"
        raise UnreadableMessageError("expected the characters that MSH-18 names") from None
