"""Write a document as one self-contained HTML page, or as the HTML a PDF is made from."""

from functools import cache

from reports.blocks import Document
from reports.svg import TEMPLATE_FOLDER, template_environment


def render_html(document: Document) -> str:
    """Return the page with its style sheet and logo inside."""
    letters = document.letterhead
    logo = f"data:{letters.logo_type};base64,{letters.logo}" if letters.logo else ""
    return _fill_template(document, logo, load_style())


def render_pdf_html(document: Document, logo_url: str) -> str:
    """Return the page without style sheet, for the PDF renderer."""
    return _fill_template(document, logo_url, "")


@cache
def load_style(name: str = "screen.css") -> str:
    """Return a style sheet of this package."""
    return (TEMPLATE_FOLDER / name).read_text(encoding="utf-8")


def _fill_template(document: Document, logo: str, css: str) -> str:
    template = template_environment().get_template("document.html.j2")
    return template.render(document=document, logo=logo, style=css)
