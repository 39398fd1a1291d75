"""The document as PDF/A-3a and PDF/UA-1, its data embedded. The only import of WeasyPrint.

Nothing is fetched but the letterhead's logo, which is in the document. No clock, no chance, no font
of the machine: equal documents give equal bytes.
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
CHART_BYTES = 49_000
"""In Base64 it fits a field of 65,536 characters, the most that common HL7 v2 engines take."""


class LogoOnly(URLFetcher):  # type: ignore[misc] # WeasyPrint has no types
    """Gives the logo of the letterhead, and refuses all else."""

    def __init__(self, letters: Letters) -> None:
        super().__init__(allowed_protocols=(), allow_redirects=False, fail_on_errors=True)
        self._letters = letters

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:  # noqa: ARG002
        """The logo. Raises ValueError for any other address."""
        if url != LOGO_ADDRESS or not self._letters.logo:
            raise ValueError("a report fetches nothing")
        kind = {"Content-Type": self._letters.logo_type}
        return URLFetcherResponse(url, base64.b64decode(self._letters.logo), kind)


def render(document: Document) -> bytes:
    """The PDF of the document; without its logo where only so a chart would take it."""
    made = _laid_out(document)
    if len(made) <= CHART_BYTES or not document.letters.logo:
        return made
    plain = document.letters.model_copy(update={"logo": "", "logo_type": ""})
    return _laid_out(document.model_copy(update={"letters": plain}))


def _laid_out(document: Document) -> bytes:
    made_at = datetime.fromisoformat(document.made_at)
    fetcher = LogoOnly(document.letters)
    html = shown(layout(document, LOGO_ADDRESS if document.letters.logo else ""))
    attachments = [
        weasyprint.Attachment(
            string=document.attached,
            name=ATTACHMENT,
            description=document.attached_as,
            created=made_at,
            modified=made_at,
            relationship="Data",
            url_fetcher=fetcher,
        )
    ]
    margins = weasyprint.CSS(string=_margins(document), url_fetcher=fetcher, font_config=_fonts())
    with _uninterrupted():
        pdf: bytes = _Page(html, fetcher).write_pdf(
            stylesheets=[margins],
            font_config=_fonts(),
            attachments=attachments if document.attached else None,
            pdf_variant="pdf/a-3a",
            pdf_tags=True,
            finisher=finish,
        )
    return pdf


class _Page(weasyprint.HTML):  # type: ignore[misc] # WeasyPrint has no types
    """A page that is ours: well formed, so read by the faster parser, and with no rule but ours."""

    def __init__(self, page: str, fetcher: URLFetcher) -> None:
        root = ET.fromstring(page)  # noqa: S314 # nosec B314 - our own template, which declares no entity
        self.base_url, self.url_fetcher, self.media_type = None, fetcher, "print"
        self.wrapper_element = ElementWrapper.from_html_root(root, content_language=None)
        self.etree_element = self.wrapper_element.etree_element

    def _ua_stylesheets(self, forms: bool = False) -> list[weasyprint.CSS]:  # noqa: ARG002, FBT001, FBT002 - as WeasyPrint calls it
        return [_style()]


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Without a search for garbage in between, a fifth of the time."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


@cache
def _style() -> weasyprint.CSS:
    fetcher = LogoOnly(Letters())
    return weasyprint.CSS(string=style("report.css"), url_fetcher=fetcher, font_config=_fonts())


@cache
def _fonts() -> FontConfiguration:
    return FontConfiguration()


def _margins(document: Document) -> str:
    """What stands on every page, as a style sheet; each text is a string of it and no more."""
    before, between, after = (*document.page_of, "", "")[:3]
    page = f"{_string(before)} counter(page) {_string(between)} counter(pages) {_string(after)}"
    small = "font-size: 7.6pt; line-height: 1.2; color: #444"
    bold = f"{small}; font-weight: 600"
    return f"""
@page {{
  @top-left {{ content: {_string(document.who)}; {small}; width: 74% }}
  @top-right {{ content: {_string(document.mark)}; {bold}; width: 26% }}
  @bottom-left {{ content: {_string(document.what)}; {small}; width: 78% }}
  @bottom-right {{ content: {page}; {small}; width: 22% }}
}}"""


def _string(text: str) -> str:
    """A CSS string of this text: whatever is no letter or digit is written by its number."""
    written = (c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in shown(text))
    return '"' + "".join(written) + '"'
