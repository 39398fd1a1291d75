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

from reports.blocks import Document, Letters
from reports.font_coverage import shown
from reports.formats.html import layout, style
from reports.pdf.postprocess import finish

LOGO_ADDRESS = "logo:"
ATTACHMENT = "assessment.json"
MAX_CHART_BYTES = 49_000
"""In Base64 it fits a field of 65,536 characters, the limit of common HL7 v2 engines."""


class LogoOnly(URLFetcher):  # type: ignore[misc] # WeasyPrint has no types
    """A fetcher that returns the logo of the letterhead and refuses any other URL."""

    def __init__(self, letters: Letters) -> None:
        super().__init__(allowed_protocols=(), allow_redirects=False, fail_on_errors=True)
        self._letters = letters

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:  # noqa: ARG002
        """Return the logo. Raises ValueError for any other URL."""
        if url != LOGO_ADDRESS or not self._letters.logo:
            raise ValueError("a report fetches nothing")
        content = base64.b64decode(self._letters.logo)
        return URLFetcherResponse(url, content, {"Content-Type": self._letters.logo_type})


def render(document: Document) -> bytes:
    """Return the PDF, without the logo if the PDF would be too large for a chart with it."""
    pdf = _lay_out(document)
    if len(pdf) <= MAX_CHART_BYTES or not document.letters.logo:
        return pdf
    without_logo = document.letters.model_copy(update={"logo": "", "logo_type": ""})
    return _lay_out(document.model_copy(update={"letters": without_logo}))


def _lay_out(document: Document) -> bytes:
    created_at = datetime.fromisoformat(document.made_at)
    fetcher = LogoOnly(document.letters)
    html = shown(layout(document, LOGO_ADDRESS if document.letters.logo else ""))
    attachments = [
        weasyprint.Attachment(
            string=document.attached,
            name=ATTACHMENT,
            description=document.attached_as,
            created=created_at,
            modified=created_at,
            relationship="Data",
            url_fetcher=fetcher,
        )
    ]
    margins = weasyprint.CSS(
        string=_margin_css(document), url_fetcher=fetcher, font_config=_font_configuration()
    )
    with _paused_garbage_collection():
        pdf: bytes = _Page(html, fetcher).write_pdf(
            stylesheets=[margins],
            font_config=_font_configuration(),
            attachments=attachments if document.attached else None,
            pdf_variant="pdf/a-3a",
            pdf_tags=True,
            finisher=finish,
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
    fetcher = LogoOnly(Letters())
    return weasyprint.CSS(
        string=style("report.css"), url_fetcher=fetcher, font_config=_font_configuration()
    )


@cache
def _font_configuration() -> FontConfiguration:
    return FontConfiguration()


def _margin_css(document: Document) -> str:
    """Return the CSS of the page margins; all texts in it are escaped as CSS strings."""
    before, between, after = map(_css_string, (*document.page_of, "", "")[:3])
    page = f"{before} counter(page) {between} counter(pages) {after}"
    small = "font-size: 7.6pt; line-height: 1.2; color: #444"
    bold = f"{small}; font-weight: 600"
    return f"""
@page {{
  @top-left {{ content: {_css_string(document.who)}; {small}; width: 74% }}
  @top-right {{ content: {_css_string(document.mark)}; {bold}; width: 26% }}
  @bottom-left {{ content: {_css_string(document.what)}; {small}; width: 78% }}
  @bottom-right {{ content: {page}; {small}; width: 22% }}
}}"""


def _css_string(text: str) -> str:
    """Return the text as a CSS string; all but ASCII letters and digits are escaped."""
    escaped = (c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in shown(text))
    return '"' + "".join(escaped) + '"'
