"""Content: the drawing of a page as WeasyPrint writes it, said in fewer bytes.

What is shown, and its order, stays the same: nothing is set twice, lines of text follow one another
by their distance, and a letter is one byte where its font has no more than 255.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

Codes = Mapping[int, int] | None
"""The byte of each glyph of one font; None where two bytes a glyph are needed."""


class Shown(NamedTuple):
    """What is set at one moment: font, colours and transparency."""

    font: bytes = b""
    fill: bytes = b""
    stroke: bytes = b""
    state: bytes = b""


def glyphs_shown(content: bytes) -> dict[bytes, set[int]]:
    """The glyphs that each font shows."""
    shown: dict[bytes, set[int]] = {}
    font = b""
    for line in content.split(b"\n"):
        if line.endswith(b" Tf"):
            font = line.split(b" ")[0]
        elif line.endswith(b" TJ"):
            for run in _HEX.findall(line):
                shown.setdefault(font, set()).update(_glyphs(run))
    return shown


def compact(content: bytes, codes: Mapping[bytes, Codes]) -> bytes:
    """The same drawing."""
    page = _Page(codes)
    for line in content.split(b"\n"):
        page.take(line)
    return b"\n".join(page.lines)


class _Page:
    """Takes line after line; remembers what is set and where the last line of text began."""

    def __init__(self, codes: Mapping[bytes, Codes]) -> None:
        self.lines: list[bytes] = []
        self._codes = codes
        self._shown = Shown()
        self._kept: list[Shown] = []
        self._origin: tuple[float, float] | None = None

    def take(self, line: bytes) -> None:
        """Write the line, shorter, or leave it out where it changes nothing."""
        operator = line.rsplit(b" ", 1)[-1]
        match operator:
            case b"q":
                self._kept.append(self._shown)
            case b"Q":
                self._shown = self._kept.pop() if self._kept else Shown()
            case b"BT":
                self._origin = None
            case b"Tf":
                self._set(line, font=line)
                return
            case b"rg" | b"g" | b"k" | b"scn":
                self._set(line, fill=line)
                return
            case b"RG" | b"G" | b"K" | b"SCN":
                self._set(line, stroke=line)
                return
            case b"gs":
                self._set(line, state=line)
                return
            case b"Tm":
                line = self._moved(line)
            case b"TJ":
                line = self._text(line)
                self.lines.append(line)
                return
        self.lines.append(_LONG_NUMBER.sub(_short, line))

    def _set(self, line: bytes, **part: bytes) -> None:
        after = self._shown._replace(**part)
        if after != self._shown:
            self._shown = after
            self.lines.append(_LONG_NUMBER.sub(_short, line))

    def _moved(self, line: bytes) -> bytes:
        """The place of a line of text, as its distance from the one before."""
        upright = _UPRIGHT.fullmatch(line)
        if upright is None:
            self._origin = None
            return line
        place = round(float(upright[1]), 1), round(float(upright[2]), 1)
        before, self._origin = self._origin, place
        if before is None:
            return b"1 0 0 -1 %s %s Tm" % (_number(place[0]), _number(place[1]))
        return b"%s %s Td" % (_number(place[0] - before[0]), _number(before[1] - place[1]))

    def _text(self, line: bytes) -> bytes:
        codes = self._codes.get(self._shown.font.split(b" ")[0])
        joined = _UNKERNED.sub(b"", line)
        if only := _ONE_RUN.fullmatch(joined):
            return _literal(only[1], codes) + b" Tj"
        return _HEX.sub(lambda run: _literal(run[1], codes), joined)


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
    raw = bytes.fromhex(run.decode("ascii"))
    return [high << 8 | low for high, low in zip(raw[::2], raw[1::2], strict=True)]


def _literal(run: bytes, codes: Codes) -> bytes:
    """A run of glyphs as a literal string."""
    raw = (
        bytes.fromhex(run.decode("ascii"))
        if codes is None
        else bytes(codes[glyph] for glyph in _glyphs(run))
    )
    return b"(" + _ESCAPED.sub(_escape, raw) + b")"


def _escape(character: re.Match[bytes]) -> bytes:
    return {b"\r": b"\\r", b"\n": b"\\n"}.get(character.group(), b"\\" + character.group())
