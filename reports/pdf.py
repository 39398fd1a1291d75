"""The report as PDF/A-3a and PDF/UA-1, the assessment embedded. The only import of WeasyPrint.

Nothing is fetched but the package's own fonts. No clock, no chance: equal views give equal bytes.
"""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import weasyprint
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

from reports.finish import finish
from reports.lines import View

HERE = Path(__file__).parent
FONTS = {file.name: file for file in (HERE / "fonts").glob("*.ttf")}
FONT_SCHEME = "font:"
ATTACHMENT = "assessment.json"


class FontsOnly(URLFetcher):  # type: ignore[misc] # WeasyPrint has no types
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
        finisher=finish,
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
