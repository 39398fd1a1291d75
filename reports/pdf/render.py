"""Render a document as PDF/A-3a and PDF/UA-1 with its JSON embedded.

Only this module imports WeasyPrint. Nothing is fetched: the logo is part of the document. Output
is deterministic: it depends on neither the clock, random numbers nor installed fonts.
"""

import base64
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET  # nosec B405 - it reads our own template

os.environ.setdefault("FONTCONFIG_FILE", str(Path(__file__).parents[1] / "fonts" / "fonts.conf"))

import weasyprint
from cssselect2 import ElementWrapper  # type: ignore[import-untyped]
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

from reports.blocks import Document, PrintedLetterhead
from reports.font_coverage import replace_missing_glyphs
from reports.formats.html import load_style, render_pdf_html
from reports.pdf.postprocess import finish_pdf

LOGO_URL = "logo:"
ATTACHMENT_NAME = "assessment.json"
MAX_CHART_BYTES = 49_000
"""In Base64 it fits a field of 65,536 characters, the limit of common HL7 v2 engines."""


class LogoFetcher(URLFetcher):  # type: ignore[misc] # WeasyPrint has no types
    """A fetcher that returns the logo of the letterhead and refuses any other URL."""

    def __init__(self, letterhead: PrintedLetterhead) -> None:
        super().__init__(allowed_protocols=(), allow_redirects=False, fail_on_errors=True)
        self._letterhead = letterhead

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:  # noqa: ARG002
        """Return the logo. Raises ValueError for any other URL."""
        if url != LOGO_URL or not self._letterhead.logo:
            raise ValueError("reports may not fetch URLs")
        content = base64.b64decode(self._letterhead.logo)
        return URLFetcherResponse(url, content, {"Content-Type": self._letterhead.logo_type})


def render_pdf(document: Document) -> bytes:
    """Return the PDF, without the logo if the PDF would be too large for a chart with it."""
    pdf = _lay_out(document)
    if len(pdf) <= MAX_CHART_BYTES or not document.letterhead.logo:
        return pdf
    without_logo = document.letterhead.model_copy(update={"logo": "", "logo_type": ""})
    return _lay_out(document.model_copy(update={"letterhead": without_logo}))


def _lay_out(document: Document) -> bytes:
    created_at = datetime.fromisoformat(document.created_at)
    fetcher = LogoFetcher(document.letterhead)
    html = replace_missing_glyphs(
        render_pdf_html(document, LOGO_URL if document.letterhead.logo else "")
    )
    attachments = [
        weasyprint.Attachment(
            string=document.attachment,
            name=ATTACHMENT_NAME,
            description=document.attachment_description,
            created=created_at,
            modified=created_at,
            relationship="Data",
            url_fetcher=fetcher,
        )
    ]
    margins = weasyprint.CSS(
        string=_write_margin_css(document),
        url_fetcher=fetcher,
        font_config=_load_font_configuration(),
    )
    with _paused_garbage_collection():
        pdf: bytes = _Page(html, fetcher).write_pdf(
            stylesheets=[margins],
            font_config=_load_font_configuration(),
            attachments=attachments if document.attachment else None,
            pdf_variant="pdf/a-3a",
            pdf_tags=True,
            finisher=finish_pdf,
        )
    return pdf


class _Page(weasyprint.HTML):  # type: ignore[misc] # WeasyPrint has no types
    """Our own HTML: well formed, so the faster XML parser reads it, and styled by our CSS alone."""

    def __init__(self, page: str, fetcher: URLFetcher) -> None:
        root = ET.fromstring(page)  # noqa: S314 # nosec B314 - our own template, which declares no entity
        self.base_url, self.url_fetcher, self.media_type = None, fetcher, "print"
        self.wrapper_element = ElementWrapper.from_html_root(root, content_language=None)
        self.etree_element = self.wrapper_element.etree_element

    def _ua_stylesheets(self, forms: bool = False) -> list[weasyprint.CSS]:  # noqa: ARG002, FBT001, FBT002 - as WeasyPrint calls it
        return [_load_style()]


@contextmanager
def _paused_garbage_collection() -> Iterator[None]:
    """Pause garbage collection, which slows rendering."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@cache
def _load_style() -> weasyprint.CSS:
    fetcher = LogoFetcher(PrintedLetterhead())
    return weasyprint.CSS(
        string=load_style("report.css"), url_fetcher=fetcher, font_config=_load_font_configuration()
    )


@cache
def _load_font_configuration() -> FontConfiguration:
    return FontConfiguration()


def _write_margin_css(document: Document) -> str:
    """Return the CSS of the page margins; all texts in it are escaped as CSS strings."""
    before, between, after = map(_quote_css, (*document.page_number_texts, "", "")[:3])
    page = f"{before} counter(page) {between} counter(pages) {after}"
    small = "font-size: 9pt; line-height: 1.2; color: #444"
    bold = f"{small}; font-weight: 600"
    return f"""
@page {{
  @top-left {{ content: {_quote_css(document.patient_line)}; {small}; width: 74% }}
  @top-right {{ content: {_quote_css(document.warning)}; {bold}; width: 26% }}
  @bottom-left {{ content: {_quote_css(document.rulebook_line)}; {small}; width: 78% }}
  @bottom-right {{ content: {page}; {small}; width: 22% }}
}}"""


def _quote_css(text: str) -> str:
    """Return the text as a CSS string; all but ASCII letters and digits are escaped."""
    escaped = (
        c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in replace_missing_glyphs(text)
    )
    return '"' + "".join(escaped) + '"'
