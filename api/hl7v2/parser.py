"""Reading: bytes of a message to its segments, by the separators that it names itself.

UnreadableError    the sender must act; the message names the place, never what stood there
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
MOST_BYTES = 256 * 1024
_SET = re.compile(rb"^MSH(.)(?:[^\r\n]*?\1){16}([^\r\n]*?)(?:\1|\r|\n|$)")


class UnreadableError(ValueError):
    """This is no message that can be read in one way only."""


class Separators(NamedTuple):
    """What separates, in the order in which a message names them."""

    field: str
    component: str
    repetition: str
    escape: str
    part: str


class Message(NamedTuple):
    """Segments as lists of fields, unescaped only where a word is asked for."""

    separators: Separators
    segments: tuple[tuple[str, ...], ...]

    def every(self, name: str) -> Iterator[tuple[str, ...]]:
        """The segments of this name, in order."""
        return (each for each in self.segments if each[0] == name)

    def first(self, name: str) -> tuple[str, ...]:
        """The first segment of this name, or an empty one."""
        return next(self.every(name), (name,))

    def field(self, segment: tuple[str, ...], number: int) -> str:
        """A field as it stands, empty where the segment is shorter."""
        place = number - 1 if segment[0] == "MSH" else number
        return segment[place] if place < len(segment) else ""

    def repetitions(self, segment: tuple[str, ...], number: int) -> list[tuple[str, ...]]:
        """Each repetition of a field as its components."""
        whole = self.field(segment, number)
        return [
            tuple(each.split(self.separators.component))
            for each in whole.split(self.separators.repetition)
            if each
        ]

    def word(self, segment: tuple[str, ...], number: int, component: int = 1) -> str:
        """A component of a field's first repetition, unescaped; empty where there is none."""
        first = next(iter(self.repetitions(segment, number)), ())
        return self.unescaped(first[component - 1]) if component <= len(first) else ""

    def unescaped(self, text: str) -> str:
        """The words that an escaped text stands for. Raises UnreadableError."""
        escape = re.escape(self.separators.escape)
        return re.sub(f"{escape}([^{escape}]*){escape}", self._meant, text)

    def _meant(self, found: "re.Match[str]") -> str:
        field, component, repetition, escape, part = self.separators
        told = {"F": field, "S": component, "R": repetition, "E": escape, "T": part, ".br": "\n"}
        inside = found[1]
        if inside in told:
            return told[inside]
        if re.fullmatch(r"X(?:[0-9A-Fa-f]{2}){1,20}", inside):
            return bytes.fromhex(inside[1:]).decode("latin-1")
        raise UnreadableError("an escape sequence that is not known")


def read(message: bytes) -> Message:
    """The message. One that names no characters is in UTF-8, or in 8859/1 where it is in none.

    Raises UnreadableError.
    """
    if len(message) > MOST_BYTES:
        raise UnreadableError(f"expected at most {MOST_BYTES} bytes")
    return _parsed(_decoded(message))


def heading(message: bytes) -> Message | None:
    """The header of a message that cannot be read, by which its sender knows it; None without."""
    line = re.split(rb"[\r\n]", message, maxsplit=1)[0]
    try:
        return _parsed(line.decode("ascii", "ignore"))
    except UnreadableError:
        return None


def _parsed(text: str) -> Message:
    lines = text.replace("\r\n", "\r").replace("\n", "\r").rstrip("\r").split("\r")
    header = lines[0]
    if not header.startswith("MSH") or len(header) < 9:
        raise UnreadableError("expected a message to begin with MSH and its separators")
    field, marks = header[3], header[4:8]
    if header[8] != field or len({field, *marks}) != 5 or any(map(str.isalnum, field + marks)):
        raise UnreadableError("expected five different separators in MSH-1 and MSH-2")
    separators = Separators(field, *marks)
    segments = tuple(tuple(each.split(field)) for each in lines)
    if not all(re.fullmatch(r"[A-Z][A-Z0-9]{2}", each[0]) for each in segments):
        raise UnreadableError("expected each segment to begin with its name")
    return Message(separators, segments)


def _decoded(message: bytes) -> str:
    told = _SET.match(message)
    named = told[2].decode("ascii", "replace").split("~")[0].strip() if told else ""
    if named not in CODECS:
        raise UnreadableError("MSH-18: expected UNICODE UTF-8, 8859/1 or ASCII")
    try:
        return message.decode(CODECS[named])
    except UnicodeDecodeError:
        if not named:
            return message.decode("latin-1")
        raise UnreadableError("expected the characters that MSH-18 names") from None
