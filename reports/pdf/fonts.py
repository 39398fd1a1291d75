"""Glyphs: the fonts of a PDF, a byte a glyph where that can be, and only what a reader uses.

The fonts of this package number their glyphs by the Latin-1 codes of their characters, so most
reports need no table of their own for that.
"""

import io
import re
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from typing import Any

import pydyf
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

from reports.pdf.content_stream import Codes, Face

USED_TABLES = {"glyf", "loca", "head", "hhea", "hmtx", "maxp", "cvt ", "fpgm", "prep"}
ONE_BYTE = 256


def one_byte_codes(glyphs: Collection[int]) -> Codes:
    """A byte for each glyph: its number where that is small enough, else one that is free."""
    if len(glyphs) >= ONE_BYTE:
        return None
    small = {glyph for glyph in glyphs if glyph < ONE_BYTE}
    free = iter(sorted(set(range(1, ONE_BYTE)) - small))
    return {each: each if each < ONE_BYTE else next(free) for each in sorted(glyphs)}


def faces(pdf: Any, shown: Mapping[bytes, Collection[int]]) -> dict[bytes, Face]:
    """How the text of each font is written, by the name that content calls it."""
    given = {}
    for font in _composite_fonts(pdf):
        name = _resource_name(font)
        (descendant,) = font["DescendantFonts"]
        widths = _widths(pdf.objects[int(descendant.split()[0])]["W"])
        given[name] = Face(one_byte_codes({*shown.get(name, ()), _SPACE}), widths)
    return given


def encode(pdf: Any, fonts: Mapping[bytes, Face]) -> None:
    """Let each font read its text by these bytes, and say which characters they stand for."""
    for font in _composite_fonts(pdf):
        codes = fonts[_resource_name(font)].codes
        meanings = pdf.objects[int(font["ToUnicode"].split()[0])]
        meanings.stream = [b"\n".join(meanings.stream).replace(b" <>", b" <200b>")]
        if codes is None:
            continue
        encoding = pydyf.Stream([_cmap(codes)], _CMAP_KEYS, compress=True)
        pdf.add_object(encoding)
        font["Encoding"] = encoding.reference
        meanings.stream = [_meanings(meanings.stream[0], codes)]


def strip_tables(pdf: Any) -> None:
    """Drop from each font what only a program that types with it would need."""
    for each in pdf.objects:
        if isinstance(each, pydyf.Stream) and "Length1" in each.extra:
            font = TTFont(io.BytesIO(each.stream[0]), recalcTimestamp=False, recalcBBoxes=False)
            for table in set(font.keys()) - USED_TABLES - {"GlyphOrder"}:
                del font[table]
            smaller = io.BytesIO()
            font.save(smaller, reorderTables=None)
            each.stream = [smaller.getvalue()]
            each.extra["Length1"] = len(each.stream[0])


def _composite_fonts(pdf: Any) -> Iterable[Any]:
    for each in pdf.objects:
        if isinstance(each, pydyf.Dictionary) and each.get("Subtype") == "/Type0":
            yield each


def _resource_name(font: Any) -> bytes:
    """The name that content calls the font by: /ABCDEF of /ABCDEF+Some-Family."""
    name: bytes = font["BaseFont"]
    return name.split(b"+")[0]


def _widths(written: Any) -> dict[int, float]:
    """Widths in parts of the letter size, from runs of a first glyph and the widths from it on."""
    return {
        first + place: width / 1000
        for first, run in zip(written[::2], written[1::2], strict=True)
        for place, width in enumerate(run)
    }


_SPACE = 32
_CMAP_KEYS = {
    "Type": "/CMap",
    "CMapName": "/OneByte",
    "CIDSystemInfo": pydyf.Dictionary(
        {"Registry": pydyf.String("Adobe"), "Ordering": pydyf.String("Identity"), "Supplement": 0}
    ),
}
_CMAP_HEAD = (
    b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
    b"/CIDSystemInfo <</Registry (Adobe) /Ordering (%s) /Supplement 0>> def\n"
    b"/CMapName /%s def /CMapType %d def\n"
    b"1 begincodespacerange <00> <ff> endcodespacerange\n"
)
_CMAP_END = b"endcmap CMapName currentdict /CMap defineresource pop end end"


def _cmap(codes: Mapping[int, int]) -> bytes:
    """From byte to glyph."""
    moved = sorted((code, glyph) for glyph, code in codes.items() if code != glyph)
    parts = [_CMAP_HEAD % (b"Identity", b"OneByte", 1)]
    edges = [-1, *(code for code, _ in moved), ONE_BYTE]
    ranges = [
        b"<%02x> <%02x> %d" % (before + 1, after - 1, before + 1)
        for before, after in pairwise(edges)
        if after - before > 1
    ]
    parts += _listed(b"cidrange", ranges)
    parts += _listed(b"cidchar", [b"<%02x> %d" % each for each in moved])
    return b"\n".join([*parts, _CMAP_END])


def _meanings(written: bytes, codes: Mapping[int, int]) -> bytes:
    """From byte to character, for what WeasyPrint wrote from glyph to character."""
    known = {int(glyph, 16): text for glyph, text in _MEANING.findall(written)}
    runs: list[tuple[int, int, bytes]] = []
    for code, text in sorted((codes[each], known[each]) for each in known if each in codes):
        if runs and _follows(runs[-1], code, text):
            runs[-1] = (runs[-1][0], code, runs[-1][2])
        else:
            runs.append((code, code, text))
    ranges = [b"<%02x> <%02x> %s" % run for run in runs]
    parts = [_CMAP_HEAD % (b"UCS", b"Meaning", 2), *_listed(b"bfrange", ranges)]
    return b"\n".join([*parts, _CMAP_END])


_MEANING = re.compile(rb"^<([0-9a-f]{4})> (<[0-9a-f]+>)$", re.MULTILINE)


def _follows(run: tuple[int, int, bytes], code: int, text: bytes) -> bool:
    start, end, first = run
    single = len(text) == len(first) == len(b"<0000>")
    return single and code == end + 1 and int(text[1:-1], 16) == int(first[1:-1], 16) + code - start


def _listed(kind: bytes, lines: list[bytes]) -> list[bytes]:
    """At most 100 lines a block, as CMaps ask."""
    return [
        b"%d begin%s\n%s\nend%s" % (len(part), kind, b"\n".join(part), kind)
        for part in (lines[start : start + 100] for start in range(0, len(lines), 100))
    ]
