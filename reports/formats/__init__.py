"""Write the documents of a view in each format.

pdf    PDF/A-3a and PDF/UA-1      rtf    for charts that take no PDF
html   one self-contained page    txt    plain text
xml    CDA R2 around the PDF      note   at most twelve lines for a chart
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from reports import phrases
from reports.blocks import Document
from reports.document.note import note
from reports.document.patient_sheet import sheet
from reports.document.summary_page import story
from reports.formats.cda import cda
from reports.formats.html import page
from reports.formats.plain_text import plain
from reports.formats.rtf import rtf
from reports.view.heading import Heading
from reports.view.model import View

Format = Literal["pdf", "html", "rtf", "txt", "note", "xml"]
Kind = Literal["clinician", "patient"]
Layout = Callable[[Document], bytes]


class Written(NamedTuple):
    """A document in one format: its bytes, their media type and the suffix of its file name."""

    content: bytes
    media_type: str
    suffix: str


MEDIA_TYPES: dict[Format, str] = {
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "rtf": "application/rtf",
    "txt": "text/plain; charset=utf-8",
    "note": "text/plain; charset=utf-8",
    "xml": "application/hl7-cda+xml; charset=utf-8",
}
SUFFIXES: dict[Format, str] = {
    "pdf": ".pdf",
    "html": ".html",
    "rtf": ".rtf",
    "txt": ".txt",
    "note": ".txt",
    "xml": ".xml",
}


def document(view: View, kind: Kind) -> Document:
    """Return the clinician's report or the patient sheet."""
    wording = phrases.wording(view.language)
    return story(view, wording) if kind == "clinician" else sheet(view, wording)


def written(view: View, heading: Heading, kind: Kind, form: Format, layout: Layout) -> Written:
    """Return the document in this format; `layout` renders PDFs, here or in another process."""
    return Written(
        _write_content(view, heading, kind, form, layout), MEDIA_TYPES[form], SUFFIXES[form]
    )


def _write_content(view: View, heading: Heading, kind: Kind, form: Format, layout: Layout) -> bytes:
    if form == "note":
        return note(view, phrases.wording(view.language)).encode()
    doc = document(view, kind)
    match form:
        case "html":
            return page(doc).encode()
        case "rtf":
            return rtf(doc).encode("ascii")
        case "txt":
            return plain(doc).encode()
        case "xml":
            pdf = layout(doc)
            return cda(heading, doc.title, doc.language, pdf, MEDIA_TYPES["pdf"])
    return layout(doc)
