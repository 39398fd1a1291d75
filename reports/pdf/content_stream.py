"""Compress the content streams that WeasyPrint writes.

The drawing and its order stay the same: no setting is repeated, lines of text are placed relative
to the previous line, and a glyph is one byte if its font has no more than 255.
"""

import re
import struct
from collections.abc import Mapping
from typing import NamedTuple

Codes = Mapping[int, int] | None
"""The byte of each glyph of one font; None if glyphs need two bytes."""


class Face(NamedTuple):
    """The bytes and the widths of the glyphs of one font."""

    codes: Codes
    widths: Mapping[int, float]


def find_glyphs(content: bytes) -> dict[bytes, set[int]]:
    """Return the glyphs that the content shows, by font."""
    runs: dict[bytes, set[bytes]] = {}
    font = b""
    for line in content.split(b"\n"):
        if line.endswith(b" Tf"):
            font = line.split(b" ")[0]
        elif line.endswith(b" TJ"):
            runs.setdefault(font, set()).update(_HEX.findall(line))
    return {
        font: {glyph for run in font_runs for glyph in _decode_glyphs(run)}
        for font, font_runs in runs.items()
    }


def compress_content(content: bytes, faces: Mapping[bytes, Face]) -> bytes:
    """Return content that draws the same in fewer bytes."""
    writer = _ContentWriter(faces)
    for line in _join_text_objects(content.split(b"\n")):
        writer.write_line(line)
    return b"\n".join(writer.lines)


def _join_text_objects(lines: list[bytes]) -> list[bytes]:
    """Join consecutive text objects into one, with the marked content inside it."""
    output: list[bytes] = []
    index = 0
    while index < len(lines):
        content = _parse_marked_text(lines, index)
        if content is None:
            output.append(lines[index])
            index += 1
            continue
        opening, text, index = content
        if output and output[-1] == b"ET":
            output.pop()
        else:
            output.append(b"BT")
        output += [*opening, *text, b"EMC", b"ET"]
    return output


def _parse_marked_text(
    lines: list[bytes], index: int
) -> tuple[list[bytes], list[bytes], int] | None:
    """Parse marked content that is a single text object; None if it is not.

    Returns its mark, colours and font; its text; and the index of the line after it.
    """
    if lines[index].endswith(b" BMC"):
        start = index + 1
    elif lines[index + 2 : index + 3] == [b"BDC"]:
        start = index + 3
    else:
        return None
    end = lines.index(b"EMC", start)
    text_start = start
    while text_start < end and lines[text_start].rsplit(b" ", 1)[-1] in _SETTINGS:
        text_start += 1
    text = lines[text_start + 1 : end - 1]
    if lines[text_start] != b"BT" or lines[end - 1] != b"ET" or b"ET" in text:
        return None
    mark = [b"".join(lines[index:start])] if start == index + 3 else lines[index:start]
    return [*mark, *lines[start:text_start]], text, end + 1


class _ContentWriter:
    """Writes lines, with the current settings and the place of the last text in mind."""

    def __init__(self, faces: Mapping[bytes, Face]) -> None:
        self.lines: list[bytes] = []
        self._faces = faces
        self._settings = dict(_INITIAL_SETTINGS)
        self._saved_settings: list[dict[bytes, bytes]] = []
        self._origin: tuple[float, float] | None = None
        self._run: list[int] | None = None

    def write_line(self, line: bytes) -> None:
        """Write the line in fewer bytes, or leave it out if it changes nothing."""
        operator = line.rsplit(b" ", 1)[-1]
        if operator in _SETTINGS:
            key = _SETTINGS[operator] + (line[:2] if operator == b"gs" else b"")
            if self._settings.get(key) == line:
                return
            self._settings[key] = line
            if operator == b"Tf":
                self._run = None
        match operator:
            case b"q":
                self._saved_settings.append(dict(self._settings))
            case b"Q":
                self._settings = self._saved_settings.pop()
            case b"BT":
                self._origin, self._run = None, None
            case b"Tm":
                if self._write_position(line):
                    return
            case b"TJ":
                self._write_text(line)
                return
        self.lines.append(_LONG_NUMBER.sub(_shorten_number, line))

    def _write_position(self, line: bytes) -> bool:
        """Write an upright position relative to the last one; return whether it is upright."""
        upright = _UPRIGHT.fullmatch(line)
        if upright is None:
            self._origin, self._run = None, None
            return False
        position = round(float(upright[1]), 1), round(float(upright[2]), 1)
        if self._continues_run(position):
            return True
        last, self._origin, self._run = self._origin, position, None
        if last is None:
            self.lines.append(b"1 0 0 -1 %s %s Tm" % tuple(map(_format_number, position)))
        else:
            right, down = position[0] - last[0], last[1] - position[1]
            self.lines.append(b"%s %s Td" % (_format_number(right), _format_number(down)))
        return True

    def _continues_run(self, position: tuple[float, float]) -> bool:
        """Return whether the position is the end of the last run, or a space after it."""
        if self._run is None or self._origin is None or position[1] != self._origin[1]:
            return False
        font, size = self._get_font()
        widths = self._faces[font].widths
        end = self._origin[0] + size * sum(widths.get(glyph, 0.0) for glyph in self._run)
        gap = position[0] - end
        if abs(gap) < _MAX_SHIFT:
            return True
        if abs(gap - size * widths.get(_SPACE, -1.0)) < _MAX_SHIFT:
            self._run.append(_SPACE)
            return True
        return False

    def _write_text(self, line: bytes) -> None:
        face = self._faces.get(self._get_font()[0])
        codes = face.codes if face else None
        text = _UNKERNED.sub(b"", line)
        if single_run := _ONE_RUN.fullmatch(text):
            if self._run:
                self.lines.pop()
                self._run += _decode_glyphs(single_run[1])
            else:
                self._run = _decode_glyphs(single_run[1])
            self.lines.append(_encode_run(self._run, codes) + b" Tj")
            return
        self._run = None
        self.lines.append(_HEX.sub(lambda run: _encode_run(_decode_glyphs(run[1]), codes), text))

    def _get_font(self) -> tuple[bytes, float]:
        name, size, _ = self._settings.get(b"font", b"/ 0 Tf").split(b" ")
        return name, float(size)


_SETTINGS = {
    **dict.fromkeys((b"rg", b"g", b"k", b"scn"), b"fill"),
    **dict.fromkeys((b"RG", b"G", b"K", b"SCN"), b"stroke"),
    **{operator: operator for operator in (b"gs", b"Tr", b"d", b"J", b"j", b"M", b"w")},
    b"Tf": b"font",
}
_INITIAL_SETTINGS = {
    b"gs/a": b"/a1.0 gs",
    b"gs/A": b"/A1.0 gs",
    b"Tr": b"0 Tr",
    b"d": b"[] 0 d",
    b"J": b"0 J",
    b"j": b"0 j",
}
_SPACE = 32
_MAX_SHIFT = 0.35
"""How far a glyph may be drawn from its position, in pixels: a tenth of a millimetre."""
_UPRIGHT = re.compile(rb"1 0 0 -1 (-?[\d.]+) (-?[\d.]+) Tm")
_HEX = re.compile(rb"<((?:[0-9a-f]{4})+)>")
_UNKERNED = re.compile(rb"(?<=[0-9a-f]{4})>0<(?=[0-9a-f]{4})")
_ONE_RUN = re.compile(rb"\[<((?:[0-9a-f]{4})+)>0?\] TJ")
_LONG_NUMBER = re.compile(rb"(?<![\w.])-?\d+\.\d+(?![\w.])")
_ESCAPED = re.compile(rb"[()\\\r\n]")


def _shorten_number(number: re.Match[bytes]) -> bytes:
    return _format_number(float(number.group()), 2)


def _format_number(value: float, places: int = 1) -> bytes:
    return b"%g" % (round(value, places) or 0)


def _decode_glyphs(run: bytes) -> list[int]:
    return list(struct.unpack(f">{len(run) // 4}H", bytes.fromhex(run.decode("ascii"))))


def _encode_run(run: list[int], codes: Codes) -> bytes:
    """Return a run of glyphs as a literal string."""
    if codes is None:
        raw = b"".join(glyph.to_bytes(2, "big") for glyph in run)
    else:
        raw = bytes(codes[glyph] for glyph in run)
    return b"(" + _ESCAPED.sub(_escape, raw) + b")"


def _escape(character: re.Match[bytes]) -> bytes:
    return {b"\r": b"\\r", b"\n": b"\\n"}.get(character.group(), b"\\" + character.group())
