"""Complete a PDF that WeasyPrint laid out for PDF/UA, and write it in fewer bytes.

qpdf can't write it: it packs at most a hundred objects into a stream, which adds 3,600 bytes to the
longest report and exceeds the 49,000 bytes that charts accept.
"""

import re
from pathlib import Path
from typing import Any

import pydyf

from reports.pdf.content_stream import compress_content, find_glyphs
from reports.pdf.fonts import build_faces, encode_fonts, strip_font_tables
from reports.pdf.structure_tree import complete_tree, drop_objects, list_page_owners, sort_keys
from reports.pdf.writer import join_stream, write_pdf

_TEMPLATES = Path(__file__).parents[1] / "templates"
_PDFUA = (_TEMPLATES / "pdfua.xml").read_bytes().replace(b"\n", b"")
_SRGB = (_TEMPLATES / "srgb.icc").read_bytes()


def finish_pdf(_: Any, pdf: Any) -> None:
    """Complete the PDF for PDF/UA and make it write itself in fewer bytes."""
    _declare_pdf_ua(pdf)
    for obj in pdf.objects:
        if isinstance(obj, pydyf.Stream) and obj.extra.get("N") == 3 and "Type" not in obj.extra:
            obj.stream = [_SRGB]
    if "AF" in pdf.catalog:
        pdf.catalog["AF"] = pydyf.Array(dict.fromkeys(pdf.catalog["AF"]))
    tree = complete_tree(pdf)
    drop_objects(pdf, tree.unused)
    _join_lines(pdf, tree.artifacts)
    _compress_drawings(pdf)
    sort_keys(pdf)
    pdf.write = lambda output, *_: write_pdf(pdf, output)


def _declare_pdf_ua(pdf: Any) -> None:
    """Declare PDF/UA-1 in the metadata."""
    metadata = pdf.objects[int(pdf.catalog["Metadata"].split()[0])]
    xml = b"".join(metadata.stream) if isinstance(metadata.stream, list) else metadata.stream
    metadata.stream = [xml.replace(b"</rdf:RDF>", _PDFUA + b"</rdf:RDF>")]
    metadata.compress = True


def _join_lines(pdf: Any, artifacts: list[set[int]]) -> None:
    """Mark the lines of one block as one content if nothing is drawn between them."""
    pages = [obj for obj in pdf.objects if isinstance(obj, dict) and "Contents" in obj]
    for page, owners, page_artifacts in zip(pages, list_page_owners(pdf), artifacts, strict=True):
        stream = pdf.objects[int(page["Contents"].split()[0])]
        joiner = _LineJoiner(owners, page_artifacts)
        stream.stream = [_MARK.sub(joiner, join_stream(stream))]
        for reference in {owners[mark] for mark in joiner.dropped_marks}:
            kids = pdf.objects[int(reference.split()[0])]["K"]
            kids[:] = [
                kid for kid in kids if not isinstance(kid, int) or kid not in joiner.dropped_marks
            ]
        owners[:] = [
            b"null" if mark in joiner.dropped_marks else owner for mark, owner in enumerate(owners)
        ]
        _renumber_marks(pdf, stream, owners)


def _renumber_marks(pdf: Any, stream: Any, owners: list[bytes]) -> None:
    """Number the marked contents that have an owner from 0 on."""
    marks = [mark for mark, owner in enumerate(owners) if owner != b"null"]
    new_marks = {mark: number for number, mark in enumerate(marks)}
    for reference in {owners[mark] for mark in marks}:
        kids = pdf.objects[int(reference.split()[0])]["K"]
        kids[:] = [new_marks[kid] if isinstance(kid, int) else kid for kid in kids]
    owners[:] = [owners[mark] for mark in marks]
    stream.stream = [
        _MCID.sub(lambda mark: b"/MCID %d" % new_marks[int(mark[1])], stream.stream[0])
    ]


_MCID = re.compile(rb"/MCID (\d+)")


class _LineJoiner:
    """Drops the mark of a line that continues the block of the line before; marks artifacts."""

    def __init__(self, owners: list[bytes], artifacts: set[int]) -> None:
        self.dropped_marks: set[int] = set()
        self._owners, self._artifacts, self._last = owners, artifacts, -1

    def __call__(self, mark: re.Match[bytes]) -> bytes:
        last, self._last = self._last, int(mark["id"])
        if self._last in self._artifacts:
            start, text = mark["before"] or b"", mark["text"] or b""
            return start + b"/Artifact BMC\n" + (mark["colour"] or b"") + text
        if (
            last < 0
            or not mark["before"]
            or not mark["text"]
            or self._owners[last] != self._owners[self._last]
        ):
            return mark.group()
        self.dropped_marks.add(self._last)
        return mark["colour"] or b""


_MARK = re.compile(
    rb"(?P<before>ET\nEMC\n)?/\w+\n<</MCID (?P<id>\d+)>>\nBDC\n"
    rb"(?P<colour>(?:[\d.]+ ){3}rg\n)?(?P<text>BT\n)?"
)


def _compress_drawings(pdf: Any) -> None:
    """Compress every drawing, to one byte a glyph if the font allows it."""
    drawings = [obj for obj in pdf.objects if _is_drawing(obj)]
    glyphs: dict[bytes, set[int]] = {}
    for drawing in drawings:
        drawing.stream = [join_stream(drawing)]
        for font, font_glyphs in find_glyphs(drawing.stream[0]).items():
            glyphs.setdefault(font, set()).update(font_glyphs)
    faces = build_faces(pdf, glyphs)
    for drawing in drawings:
        drawing.stream = [compress_content(drawing.stream[0], faces)]
    encode_fonts(pdf, faces)
    strip_font_tables(pdf)


def _is_drawing(value: Any) -> bool:
    """Return whether it is the content of a page or a form: WeasyPrint's own kind of stream."""
    return isinstance(value, pydyf.Stream) and type(value) is not pydyf.Stream
