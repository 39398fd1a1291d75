"""The report as PDF/A-3a and PDF/UA-1, the assessment embedded. The only import of WeasyPrint.

Nothing is fetched but the package's own fonts; no clock and no chance: equal views give equal bytes.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pydyf
import weasyprint
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

from reports.view import View

HERE = Path(__file__).parent
FONTS = {file.name: file for file in (HERE / "fonts").glob("*.ttf")}
FONT_SCHEME = "font:"
ATTACHMENT = "assessment.json"
_PDFUA = (HERE / "templates" / "pdfua.xml").read_bytes()
_SRGB = (HERE / "templates" / "srgb.icc").read_bytes()


class FontsOnly(URLFetcher):
    """Fetches fonts of this package by name, and refuses all else."""

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:  # noqa: ARG002
        """The font file. Raises ValueError for any other address."""
        file = FONTS.get(url.removeprefix(FONT_SCHEME)) if url.startswith(FONT_SCHEME) else None
        if file is None:
            raise ValueError("a report fetches nothing but its own fonts")
        return URLFetcherResponse(url, file.read_bytes(), {"Content-Type": "font/ttf"})


def render(view: View) -> bytes:
    """The PDF of the view."""
    made_at = datetime.fromisoformat(view.produced_iso).replace(tzinfo=UTC)
    fetcher = FontsOnly()
    fonts = FontConfiguration()
    style = weasyprint.CSS(string=_css(), url_fetcher=fetcher, font_config=fonts)
    attachment = weasyprint.Attachment(
        string=view.assessment_json,
        name=ATTACHMENT,
        description="The assessment that this report shows",
        created=made_at,
        modified=made_at,
        relationship="Data",
        url_fetcher=fetcher,
    )
    html = _template().render(view=view, made_at=made_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    pdf: bytes = weasyprint.HTML(string=html, url_fetcher=fetcher).write_pdf(
        stylesheets=[style],
        font_config=fonts,
        attachments=[attachment],
        pdf_variant="pdf/a-3a",
        pdf_tags=True,
        finisher=_finish,
    )
    return pdf


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template() -> Any:
    return _environment().get_template("report.html.j2")


@cache
def _css() -> str:
    return (HERE / "templates" / "report.css").read_text(encoding="utf-8")


def _finish(_: Any, pdf: Any) -> None:
    """Complete what WeasyPrint leaves open, and say the same in fewer bytes."""
    metadata = pdf.objects[int(pdf.catalog["Metadata"].split()[0])]
    xml = b"".join(metadata.stream) if isinstance(metadata.stream, list) else metadata.stream
    metadata.stream = [xml.replace(b"</rdf:RDF>", _PDFUA + b"</rdf:RDF>")]
    metadata.compress = False
    for each in pdf.objects:
        if isinstance(each, pydyf.Stream) and each.extra.get("N") == 3 and "Type" not in each.extra:
            each.stream = [_SRGB]
    if "AF" in pdf.catalog:
        pdf.catalog["AF"] = pydyf.Array(dict.fromkeys(pdf.catalog["AF"]))
    elements = {
        each.reference: each
        for each in pdf.objects
        if isinstance(each, pydyf.Dictionary) and each.get("Type") == "/StructElem"
    }
    _drop(pdf, _merge_lines(pdf, elements))
    _join_lines(pdf)
    _join_glyphs(pdf)


def _merge_lines(pdf: Any, elements: dict[bytes, Any]) -> dict[bytes, bytes]:
    """Lay the text of a block's lines into the block itself, in place of one span for each line.

    Returns the spans that were merged, each with the element that took its text.
    """
    merged = {}
    for reference, span in reversed(elements.items()):
        parent = elements.get(span["P"])
        plain = span["S"] in {"/Span", "/NonStruct"} and "A" not in span
        content = all(isinstance(each, int) for each in span["K"])
        if plain and content and parent and parent.get("Pg") == span.get("Pg"):
            place = parent["K"].index(reference)
            parent["K"][place : place + 1] = span["K"]
            merged[reference] = span["P"]
    for page in _pages_of_text(pdf):
        page[:] = [_kept(each, merged) for each in page]
    return merged


def _kept(reference: bytes, merged: dict[bytes, bytes]) -> bytes:
    while reference in merged:
        reference = merged[reference]
    return reference


def _drop(pdf: Any, unused: Collection[bytes]) -> None:
    """Take objects out of the file and number the others anew."""
    kept = [each for each in pdf.objects if each.reference not in unused]
    numbers = {each.reference: place for place, each in enumerate(kept)}
    anew = {reference: b"%d 0 R" % place for reference, place in numbers.items()}
    for each in kept:
        _point(each.extra if isinstance(each, pydyf.Stream) else each, anew)
    for place, each in enumerate(kept):
        each.number = place
    pdf.objects[:] = kept


def _point(value: Any, anew: Mapping[bytes, bytes]) -> None:
    """Change every reference inside the value."""
    places: Iterable[Any] = ()
    if isinstance(value, dict):
        places = list(value)
    elif isinstance(value, list):
        places = range(len(value))
    for place in places:
        part = value[place]
        if isinstance(part, bytes) and part in anew:
            value[place] = anew[part]
        else:
            _point(part, anew)


def _join_lines(pdf: Any) -> None:
    """Mark the lines of one block as one content, where nothing is drawn between them."""
    contents = [each for each in pdf.objects if isinstance(each, dict) and "Contents" in each]
    for page, owners in zip(contents, _pages_of_text(pdf), strict=True):
        stream = pdf.objects[int(page["Contents"].split()[0])]
        joined: set[int] = set()
        marks = _Marks(owners, joined)
        stream.stream = [_MARK.sub(marks, b"\n".join(_as_bytes(part) for part in stream.stream))]
        for reference in {owners[each] for each in joined}:
            kids = pdf.objects[int(reference.split()[0])]["K"]
            kids[:] = [each for each in kids if each not in joined or not isinstance(each, int)]
        owners[:] = [b"null" if each in joined else owner for each, owner in enumerate(owners)]


class _Marks:
    """Drops the mark of a line that goes on in the block of the line before; remembers which."""

    def __init__(self, owners: list[bytes], joined: set[int]) -> None:
        self._owners, self._joined, self._last = owners, joined, -1

    def __call__(self, mark: re.Match[bytes]) -> bytes:
        last, self._last = self._last, int(mark["id"])
        if last < 0 or not mark["before"] or not mark["text"] or self._owners[last] != self._owners[self._last]:
            return mark.group()
        self._joined.add(self._last)
        return mark["colour"] or b""


_MARK = re.compile(
    rb"(?P<before>ET\nEMC\n)?/\w+\n<</MCID (?P<id>\d+)>>\nBDC\n(?P<colour>(?:[\d.]+ ){3}rg\n)?(?P<text>BT\n)?"
)


def _join_glyphs(pdf: Any) -> None:
    """Write runs of glyphs with no kerning between them as one string, and that as bytes."""
    for each in pdf.objects:
        if isinstance(each, pydyf.Stream):
            each.stream = [_shorter(_as_bytes(part)) for part in each.stream]


def _shorter(part: bytes) -> bytes:
    part = _LONG_NUMBER.sub(lambda number: b"%.2f" % float(number.group()), part)
    return _GLYPHS.sub(_literal, _UNKERNED.sub(b"", part))


_LONG_NUMBER = re.compile(rb"(?<![\w.])-?\d+\.\d{3,}(?![\w.])")
_UNKERNED = re.compile(rb"(?<=[0-9a-f]{4})>0<(?=[0-9a-f]{4})")
_GLYPHS = re.compile(rb"(?<=\[)<((?:[0-9a-f]{4})+)>0?\] TJ")
_ESCAPED = re.compile(rb"[()\\\r\n]")


def _literal(run: re.Match[bytes]) -> bytes:
    """A run of glyphs as a literal string, for the same text in half the bytes."""
    raw = bytes.fromhex(run.group(1).decode("ascii"))
    return b"(" + _ESCAPED.sub(_escaped, raw) + b")] TJ"


def _escaped(character: re.Match[bytes]) -> bytes:
    return {b"\r": b"\\r", b"\n": b"\\n"}.get(character.group(), b"\\" + character.group())


def _as_bytes(part: Any) -> bytes:
    if isinstance(part, pydyf.Object):
        return bytes(part.data)
    return part if isinstance(part, bytes) else str(part).encode("latin-1")


def _pages_of_text(pdf: Any) -> list[list[bytes]]:
    """For each page, the element that owns each marked content."""
    numbers = pdf.objects[int(_structure(pdf)["ParentTree"].split()[0])]["Nums"]
    return [page for page in numbers[1::2] if isinstance(page, list)]


def _structure(pdf: Any) -> Any:
    return pdf.objects[int(pdf.catalog["StructTreeRoot"].split()[0])]
