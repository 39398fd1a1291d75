"""Finish: a PDF as WeasyPrint leaves it, completed for PDF/UA and said in fewer bytes."""

import re
from pathlib import Path
from typing import Any

import pydyf

from reports.pdf.content_stream import compact, glyphs_shown
from reports.pdf.fonts import encode, faces, strip_tables
from reports.pdf.structure_tree import complete, drop, pages_of_text, tidy
from reports.pdf.writer import write

_TEMPLATES = Path(__file__).parents[1] / "templates"
_PDFUA = (_TEMPLATES / "pdfua.xml").read_bytes().replace(b"\n", b"")
_SRGB = (_TEMPLATES / "srgb.icc").read_bytes()


def finish(_: Any, pdf: Any) -> None:
    """Complete what WeasyPrint leaves open, and say the same in fewer bytes."""
    _identify(pdf)
    for each in pdf.objects:
        if isinstance(each, pydyf.Stream) and each.extra.get("N") == 3 and "Type" not in each.extra:
            each.stream = [_SRGB]
    if "AF" in pdf.catalog:
        pdf.catalog["AF"] = pydyf.Array(dict.fromkeys(pdf.catalog["AF"]))
    completed = complete(pdf)
    drop(pdf, completed.unused)
    _join_lines(pdf, completed.artifacts)
    _shorten(pdf)
    tidy(pdf)
    pdf.write = lambda output, *_: write(pdf, output)


def _identify(pdf: Any) -> None:
    """Say in the metadata that it is PDF/UA-1 too."""
    metadata = pdf.objects[int(pdf.catalog["Metadata"].split()[0])]
    xml = b"".join(metadata.stream) if isinstance(metadata.stream, list) else metadata.stream
    metadata.stream = [xml.replace(b"</rdf:RDF>", _PDFUA + b"</rdf:RDF>")]
    metadata.compress = True


def _join_lines(pdf: Any, artifacts: list[set[int]]) -> None:
    """Mark the lines of one block as one content, where nothing is drawn between them."""
    contents = [each for each in pdf.objects if isinstance(each, dict) and "Contents" in each]
    for page, owners, loose in zip(contents, pages_of_text(pdf), artifacts, strict=True):
        stream = pdf.objects[int(page["Contents"].split()[0])]
        joined: set[int] = set()
        marks = _Marks(owners, joined, loose)
        stream.stream = [_MARK.sub(marks, b"\n".join(_as_bytes(part) for part in stream.stream))]
        for reference in {owners[each] for each in joined}:
            kids = pdf.objects[int(reference.split()[0])]["K"]
            kids[:] = [each for each in kids if each not in joined or not isinstance(each, int)]
        owners[:] = [b"null" if each in joined else owner for each, owner in enumerate(owners)]
        _renumber(pdf, stream, owners)


def _renumber(pdf: Any, stream: Any, owners: list[bytes]) -> None:
    """Number the contents that something owns from 0 on."""
    kept = [each for each, owner in enumerate(owners) if owner != b"null"]
    anew = {each: place for place, each in enumerate(kept)}
    for reference in {owners[each] for each in kept}:
        kids = pdf.objects[int(reference.split()[0])]["K"]
        kids[:] = [anew[each] if isinstance(each, int) else each for each in kids]
    owners[:] = [owners[each] for each in kept]
    stream.stream = [_MCID.sub(lambda mark: b"/MCID %d" % anew[int(mark[1])], stream.stream[0])]


_MCID = re.compile(rb"/MCID (\d+)")


class _Marks:
    """Drops the mark of a line that goes on in the block of the line before; remembers which.

    What nothing owns is marked as an artifact.
    """

    def __init__(self, owners: list[bytes], joined: set[int], loose: set[int]) -> None:
        self._owners, self._joined, self._loose, self._last = owners, joined, loose, -1

    def __call__(self, mark: re.Match[bytes]) -> bytes:
        last, self._last = self._last, int(mark["id"])
        if self._last in self._loose:
            start, text = mark["before"] or b"", mark["text"] or b""
            return start + b"/Artifact BMC\n" + (mark["colour"] or b"") + text
        if (
            last < 0
            or not mark["before"]
            or not mark["text"]
            or self._owners[last] != self._owners[self._last]
        ):
            return mark.group()
        self._joined.add(self._last)
        return mark["colour"] or b""


_MARK = re.compile(
    rb"(?P<before>ET\nEMC\n)?/\w+\n<</MCID (?P<id>\d+)>>\nBDC\n"
    rb"(?P<colour>(?:[\d.]+ ){3}rg\n)?(?P<text>BT\n)?"
)


def _shorten(pdf: Any) -> None:
    """Write every drawing in fewer bytes, a byte a letter where the font allows it."""
    drawings = [each for each in pdf.objects if _is_drawing(each)]
    glyphs: dict[bytes, set[int]] = {}
    for each in drawings:
        each.stream = [b"\n".join(_as_bytes(part) for part in each.stream)]
        for font, shown in glyphs_shown(each.stream[0]).items():
            glyphs.setdefault(font, set()).update(shown)
    written = faces(pdf, glyphs)
    for each in drawings:
        each.stream = [compact(each.stream[0], written)]
    encode(pdf, written)
    strip_tables(pdf)


def _is_drawing(value: Any) -> bool:
    """Whether it is the content of a page or a form: WeasyPrint's own kind of stream."""
    return isinstance(value, pydyf.Stream) and type(value) is not pydyf.Stream


def _as_bytes(part: Any) -> bytes:
    if isinstance(part, pydyf.Object):
        return bytes(part.data)
    return part if isinstance(part, bytes) else str(part).encode("latin-1")
