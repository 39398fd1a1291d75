"""Make the fonts of a PDF smaller: one byte per glyph if possible, and no unused tables.

The fonts of this package number glyphs by the Latin-1 codes of their characters, so most reports
need no encoding table for that.
"""

import io
import re
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from typing import Any

import pydyf
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

from reports.pdf.content_stream import Codes, Face

REQUIRED_TABLES = {"glyf", "loca", "head", "hhea", "hmtx", "maxp", "cvt ", "fpgm", "prep"}
ONE_BYTE_CODES = 256


def assign_one_byte_codes(glyphs: Collection[int]) -> Codes:
    """Return a byte for each glyph, its own number if possible; None if there are too many."""
    if len(glyphs) >= ONE_BYTE_CODES:
        return None
    small = {glyph for glyph in glyphs if glyph < ONE_BYTE_CODES}
    free = iter(sorted(set(range(1, ONE_BYTE_CODES)) - small))
    return {glyph: glyph if glyph < ONE_BYTE_CODES else next(free) for glyph in sorted(glyphs)}


def build_faces(pdf: Any, glyphs_by_font: Mapping[bytes, Collection[int]]) -> dict[bytes, Face]:
    """Return the codes and widths of each font by its resource name."""
    faces_by_name = {}
    for font in _list_composite_fonts(pdf):
        name = _get_resource_name(font)
        (descendant,) = font["DescendantFonts"]
        widths = _read_widths(pdf.objects[int(descendant.split()[0])]["W"])
        faces_by_name[name] = Face(
            assign_one_byte_codes({*glyphs_by_font.get(name, ()), _SPACE}), widths
        )
    return faces_by_name


def encode_fonts(pdf: Any, fonts: Mapping[bytes, Face]) -> None:
    """Set the encoding of each font to these codes, and its map from codes to characters."""
    for font in _list_composite_fonts(pdf):
        codes = fonts[_get_resource_name(font)].codes
        to_unicode = pdf.objects[int(font["ToUnicode"].split()[0])]
        to_unicode.stream = [b"\n".join(to_unicode.stream).replace(b" <>", b" <200b>")]
        if codes is None:
            continue
        encoding = pydyf.Stream([_write_cmap(codes)], _CMAP_KEYS, compress=True)
        pdf.add_object(encoding)
        font["Encoding"] = encoding.reference
        to_unicode.stream = [_write_to_unicode(to_unicode.stream[0], codes)]


def strip_font_tables(pdf: Any) -> None:
    """Remove the tables from each font that a PDF reader doesn't use."""
    for obj in pdf.objects:
        if isinstance(obj, pydyf.Stream) and "Length1" in obj.extra:
            font = TTFont(io.BytesIO(obj.stream[0]), recalcTimestamp=False, recalcBBoxes=False)
            for table in set(font.keys()) - REQUIRED_TABLES - {"GlyphOrder"}:
                del font[table]
            stripped = io.BytesIO()
            font.save(stripped, reorderTables=None)
            obj.stream = [stripped.getvalue()]
            obj.extra["Length1"] = len(obj.stream[0])


def _list_composite_fonts(pdf: Any) -> Iterable[Any]:
    for obj in pdf.objects:
        if isinstance(obj, pydyf.Dictionary) and obj.get("Subtype") == "/Type0":
            yield obj


def _get_resource_name(font: Any) -> bytes:
    """Return the name of the font in content streams: /ABCDEF of /ABCDEF+Some-Family."""
    name: bytes = font["BaseFont"]
    return name.split(b"+")[0]


def _read_widths(w_array: Any) -> dict[int, float]:
    """Return widths per unit of font size from a /W array: first glyph, widths, first glyph ..."""
    return {
        first + offset: width / 1000
        for first, run in zip(w_array[::2], w_array[1::2], strict=True)
        for offset, width in enumerate(run)
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


def _write_cmap(codes: Mapping[int, int]) -> bytes:
    """Return the CMap from bytes to glyphs."""
    changed_codes = sorted((code, glyph) for glyph, code in codes.items() if code != glyph)
    parts = [_CMAP_HEAD % (b"Identity", b"OneByte", 1)]
    edges = [-1, *(code for code, _ in changed_codes), ONE_BYTE_CODES]
    ranges = [
        b"<%02x> <%02x> %d" % (before + 1, after - 1, before + 1)
        for before, after in pairwise(edges)
        if after - before > 1
    ]
    parts += _write_blocks(b"cidrange", ranges)
    parts += _write_blocks(b"cidchar", [b"<%02x> %d" % pair for pair in changed_codes])
    return b"\n".join([*parts, _CMAP_END])


def _write_to_unicode(glyph_map: bytes, codes: Mapping[int, int]) -> bytes:
    """Return the CMap from bytes to characters, from WeasyPrint's map of glyphs to characters."""
    characters = {int(glyph, 16): text for glyph, text in _GLYPH_LINE.findall(glyph_map)}
    runs: list[tuple[int, int, bytes]] = []
    for code, text in sorted((codes[g], characters[g]) for g in characters if g in codes):
        if runs and _continues_run(runs[-1], code, text):
            runs[-1] = (runs[-1][0], code, runs[-1][2])
        else:
            runs.append((code, code, text))
    ranges = [b"<%02x> <%02x> %s" % run for run in runs]
    parts = [_CMAP_HEAD % (b"UCS", b"Meaning", 2), *_write_blocks(b"bfrange", ranges)]
    return b"\n".join([*parts, _CMAP_END])


_GLYPH_LINE = re.compile(rb"^<([0-9a-f]{4})> (<[0-9a-f]+>)$", re.MULTILINE)


def _continues_run(run: tuple[int, int, bytes], code: int, text: bytes) -> bool:
    start, end, first = run
    single = len(text) == len(first) == len(b"<0000>")
    return single and code == end + 1 and int(text[1:-1], 16) == int(first[1:-1], 16) + code - start


def _write_blocks(kind: bytes, lines: list[bytes]) -> list[bytes]:
    """Return the lines in blocks of at most 100, the limit of the CMap format."""
    return [
        b"%d begin%s\n%s\nend%s" % (len(part), kind, b"\n".join(part), kind)
        for part in (lines[start : start + 100] for start in range(0, len(lines), 100))
    ]
