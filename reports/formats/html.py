"""Write a document as one self-contained HTML page, or as the HTML a PDF is made from."""

from functools import cache

from reports.blocks import Document
from reports.svg import TEMPLATES, environment


def page(document: Document) -> str:
    """Return the page with its style sheet and logo inside."""
    letters = document.letters
    logo = f"data:{letters.logo_type};base64,{letters.logo}" if letters.logo else ""
    return _fill_template(document, logo, style())


def layout(document: Document, logo: str) -> str:
    """Return the page without style sheet, for the PDF renderer; `logo` is a URL."""
    return _fill_template(document, logo, "")


@cache
def style(name: str = "screen.css") -> str:
    """Return a style sheet of this package."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _fill_template(document: Document, logo: str, css: str) -> str:
    template = environment().get_template("document.html.j2")
    return template.render(document=document, logo=logo, style=css)
