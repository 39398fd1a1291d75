"""Formats: each way a document leaves the house, from one view.

pdf    PDF/A-3a and PDF/UA-1      rtf    for charts that take no PDF
html   one self-contained page    txt    plain text
xml    CDA R2 around the PDF      note   at most twelve lines for a chart
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from reports.blocks import Document
from reports.document.note import note
from reports.document.patient_sheet import sheet
from reports.document.summary_page import story
from reports.formats.cda import cda
from reports.formats.html import page
from reports.formats.plain_text import plain
from reports.formats.rtf import rtf
from reports.phrases import wording
from reports.view.heading import Heading
from reports.view.model import View

Format = Literal["pdf", "html", "rtf", "txt", "note", "xml"]
Kind = Literal["clinician", "patient"]
Layout = Callable[[Document], bytes]


class Written(NamedTuple):
    """A document as it is sent: its bytes, what they are, and how its file's name ends."""

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
    """The clinician's report or the patient's sheet, before any format."""
    words = wording(view.language)
    return story(view, words) if kind == "clinician" else sheet(view, words)


def written(view: View, heading: Heading, kind: Kind, form: Format, layout: Layout) -> Written:
    """The document in this format. `layout` makes a PDF, in a process of its own or here."""
    return Written(_content(view, heading, kind, form, layout), MEDIA_TYPES[form], SUFFIXES[form])


def _content(view: View, heading: Heading, kind: Kind, form: Format, layout: Layout) -> bytes:
    if form == "note":
        return note(view, wording(view.language)).encode()
    made = document(view, kind)
    match form:
        case "html":
            return page(made).encode()
        case "rtf":
            return rtf(made).encode("ascii")
        case "txt":
            return plain(made).encode()
        case "xml":
            pdf = layout(made)
            return cda(heading, made.title, made.language, pdf, MEDIA_TYPES["pdf"])
    return layout(made)
