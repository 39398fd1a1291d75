"""Content: the drawing of a page as WeasyPrint writes it, said in fewer bytes.

What is shown, and its order, stays the same: nothing is set twice, lines of text follow one another
by their distance, and a letter is one byte where its font has no more than 255.
"""

import re
import struct
from collections.abc import Mapping
from typing import NamedTuple

Codes = Mapping[int, int] | None
"""The byte of each glyph of one font; None where two bytes a glyph are needed."""


class Face(NamedTuple):
    """How the text of one font is written: the byte and the width of each of its glyphs."""

    codes: Codes
    widths: Mapping[int, float]


def glyphs_shown(content: bytes) -> dict[bytes, set[int]]:
    """The glyphs that each font shows."""
    runs: dict[bytes, set[bytes]] = {}
    font = b""
    for line in content.split(b"\n"):
        if line.endswith(b" Tf"):
            font = line.split(b" ")[0]
        elif line.endswith(b" TJ"):
            runs.setdefault(font, set()).update(_HEX.findall(line))
    return {
        font: {each for run in each_of for each in _glyphs(run)} for font, each_of in runs.items()
    }


def compact(content: bytes, faces: Mapping[bytes, Face]) -> bytes:
    """The same drawing."""
    page = _Page(faces)
    for line in _one_text(content.split(b"\n")):
        page.take(line)
    return b"\n".join(page.lines)


def _one_text(lines: list[bytes]) -> list[bytes]:
    """Texts that follow one another as one text: the marks of contents stand inside it."""
    written: list[bytes] = []
    place = 0
    while place < len(lines):
        content = _marked_text(lines, place)
        if content is None:
            written.append(lines[place])
            place += 1
            continue
        opening, text, place = content
        if written and written[-1] == b"ET":
            written.pop()
        else:
            written.append(b"BT")
        written += [*opening, *text, b"EMC", b"ET"]
    return written


def _marked_text(lines: list[bytes], place: int) -> tuple[list[bytes], list[bytes], int] | None:
    """The mark, colours and font of one content that is a single text; the text; what follows."""
    if lines[place].endswith(b" BMC"):
        start = place + 1
    elif lines[place + 2 : place + 3] == [b"BDC"]:
        start = place + 3
    else:
        return None
    end = lines.index(b"EMC", start)
    begun = start
    while begun < end and lines[begun].rsplit(b" ", 1)[-1] in _SETTINGS:
        begun += 1
    text = lines[begun + 1 : end - 1]
    if lines[begun] != b"BT" or lines[end - 1] != b"ET" or b"ET" in text:
        return None
    mark = [b"".join(lines[place:start])] if start == place + 3 else lines[place:start]
    return [*mark, *lines[start:begun]], text, end + 1


class _Page:
    """Takes line after line; remembers what is set and where the last text began and ended."""

    def __init__(self, faces: Mapping[bytes, Face]) -> None:
        self.lines: list[bytes] = []
        self._faces = faces
        self._set = dict(_AT_FIRST)
        self._kept: list[dict[bytes, bytes]] = []
        self._origin: tuple[float, float] | None = None
        self._run: list[int] | None = None

    def take(self, line: bytes) -> None:
        """Write the line, shorter, or leave it out where it changes nothing."""
        operator = line.rsplit(b" ", 1)[-1]
        if operator in _SETTINGS:
            key = _SETTINGS[operator] + (line[:2] if operator == b"gs" else b"")
            if self._set.get(key) == line:
                return
            self._set[key] = line
            if operator == b"Tf":
                self._run = None
        match operator:
            case b"q":
                self._kept.append(dict(self._set))
            case b"Q":
                self._set = self._kept.pop()
            case b"BT":
                self._origin, self._run = None, None
            case b"Tm":
                if not self._moved(line):
                    return
            case b"TJ":
                self._text(line)
                return
        self.lines.append(_LONG_NUMBER.sub(_short, line))

    def _moved(self, line: bytes) -> bool:
        """Write a place as its distance from the one before. True where it is no such place."""
        upright = _UPRIGHT.fullmatch(line)
        if upright is None:
            self._origin, self._run = None, None
            return True
        place = round(float(upright[1]), 1), round(float(upright[2]), 1)
        if self._goes_on(place):
            return False
        before, self._origin, self._run = self._origin, place, None
        if before is None:
            self.lines.append(b"1 0 0 -1 %s %s Tm" % (_number(place[0]), _number(place[1])))
        else:
            along, down = place[0] - before[0], before[1] - place[1]
            self.lines.append(b"%s %s Td" % (_number(along), _number(down)))
        return False

    def _goes_on(self, place: tuple[float, float]) -> bool:
        """Whether the next letter stands where the last ended, or a space after it."""
        if self._run is None or self._origin is None or place[1] != self._origin[1]:
            return False
        font, size = self._font()
        widths = self._faces[font].widths
        ended = self._origin[0] + size * sum(widths.get(each, 0.0) for each in self._run)
        gap = place[0] - ended
        if abs(gap) < _NEAR:
            return True
        if abs(gap - size * widths.get(_SPACE, -1.0)) < _NEAR:
            self._run.append(_SPACE)
            return True
        return False

    def _text(self, line: bytes) -> None:
        face = self._faces.get(self._font()[0])
        codes = face.codes if face else None
        joined = _UNKERNED.sub(b"", line)
        if only := _ONE_RUN.fullmatch(joined):
            if self._run:
                self.lines.pop()
                self._run += _glyphs(only[1])
            else:
                self._run = _glyphs(only[1])
            self.lines.append(_literal(self._run, codes) + b" Tj")
            return
        self._run = None
        self.lines.append(_HEX.sub(lambda run: _literal(_glyphs(run[1]), codes), joined))

    def _font(self) -> tuple[bytes, float]:
        name, size, _ = self._set.get(b"font", b"/ 0 Tf").split(b" ")
        return name, float(size)


_SETTINGS = {
    **dict.fromkeys((b"rg", b"g", b"k", b"scn"), b"fill"),
    **dict.fromkeys((b"RG", b"G", b"K", b"SCN"), b"stroke"),
    **{each: each for each in (b"gs", b"Tr", b"d", b"J", b"j", b"M", b"w")},
    b"Tf": b"font",
}
_AT_FIRST = {
    b"gs/a": b"/a1.0 gs",
    b"gs/A": b"/A1.0 gs",
    b"Tr": b"0 Tr",
    b"d": b"[] 0 d",
    b"J": b"0 J",
    b"j": b"0 j",
}
_SPACE = 32
_NEAR = 0.35
"""How far from its place a letter may be drawn, in pixels: a tenth of a millimetre."""
_UPRIGHT = re.compile(rb"1 0 0 -1 (-?[\d.]+) (-?[\d.]+) Tm")
_HEX = re.compile(rb"<((?:[0-9a-f]{4})+)>")
_UNKERNED = re.compile(rb"(?<=[0-9a-f]{4})>0<(?=[0-9a-f]{4})")
_ONE_RUN = re.compile(rb"\[<((?:[0-9a-f]{4})+)>0?\] TJ")
_LONG_NUMBER = re.compile(rb"(?<![\w.])-?\d+\.\d+(?![\w.])")
_ESCAPED = re.compile(rb"[()\\\r\n]")


def _short(number: re.Match[bytes]) -> bytes:
    return _number(float(number.group()), 2)


def _number(value: float, places: int = 1) -> bytes:
    return b"%g" % (round(value, places) or 0)


def _glyphs(run: bytes) -> list[int]:
    return list(struct.unpack(f">{len(run) // 4}H", bytes.fromhex(run.decode("ascii"))))


def _literal(run: list[int], codes: Codes) -> bytes:
    """A run of glyphs as a literal string."""
    raw = (
        b"".join(each.to_bytes(2, "big") for each in run)
        if codes is None
        else bytes(codes[each] for each in run)
    )
    return b"(" + _ESCAPED.sub(_escape, raw) + b")"


def _escape(character: re.Match[bytes]) -> bytes:
    return {b"\r": b"\\r", b"\n": b"\\n"}.get(character.group(), b"\\" + character.group())
