"""Write the documents of a view in each format.

pdf    PDF/A-3a and PDF/UA-1      rtf    for charts that take no PDF
html   one self-contained page    txt    plain text
xml    CDA R2 around the PDF      note   at most twelve lines for a chart
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from reports.blocks import Document
from reports.document.note import write_note
from reports.document.patient_sheet import build_patient_sheet
from reports.document.summary_page import build_report
from reports.formats.cda import render_cda
from reports.formats.html import render_html
from reports.formats.plain_text import render_plain_text
from reports.formats.rtf import render_rtf
from reports.phrases import load_phrases
from reports.view.heading import ReportHeading
from reports.view.model import ReportView

ReportFormat = Literal["pdf", "html", "rtf", "txt", "note", "xml"]
DocumentKind = Literal["clinician", "patient"]
PdfRenderFunction = Callable[[Document], bytes]


class RenderedDocument(NamedTuple):
    """A document in one format: its bytes, their media type and the suffix of its file name."""

    content: bytes
    media_type: str
    suffix: str


MEDIA_TYPES: dict[ReportFormat, str] = {
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "rtf": "application/rtf",
    "txt": "text/plain; charset=utf-8",
    "note": "text/plain; charset=utf-8",
    "xml": "application/hl7-cda+xml; charset=utf-8",
}
SUFFIXES: dict[ReportFormat, str] = {
    "pdf": ".pdf",
    "html": ".html",
    "rtf": ".rtf",
    "txt": ".txt",
    "note": ".txt",
    "xml": ".xml",
}


def build_document(view: ReportView, kind: DocumentKind) -> Document:
    """Return the clinician's report or the patient sheet."""
    phrases = load_phrases(view.language)
    return (
        build_report(view, phrases) if kind == "clinician" else build_patient_sheet(view, phrases)
    )


def render_format(
    view: ReportView,
    heading: ReportHeading,
    kind: DocumentKind,
    report_format: ReportFormat,
    render_pdf: PdfRenderFunction,
) -> RenderedDocument:
    """Return the document in this format; `render_pdf` may run here or in another process."""
    return RenderedDocument(
        _write_content(view, heading, kind, report_format, render_pdf),
        MEDIA_TYPES[report_format],
        SUFFIXES[report_format],
    )


def _write_content(
    view: ReportView,
    heading: ReportHeading,
    kind: DocumentKind,
    report_format: ReportFormat,
    render_pdf: PdfRenderFunction,
) -> bytes:
    if report_format == "note":
        return write_note(view, load_phrases(view.language)).encode()
    doc = build_document(view, kind)
    match report_format:
        case "html":
            return render_html(doc).encode()
        case "rtf":
            return render_rtf(doc).encode("ascii")
        case "txt":
            return render_plain_text(doc).encode()
        case "xml":
            pdf = render_pdf(doc)
            return render_cda(heading, doc, pdf, MEDIA_TYPES["pdf"])
    return render_pdf(doc)
