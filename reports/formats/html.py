"""HTML: a document as one self-contained page, and as what the PDF is laid out from."""

from functools import cache

from reports.blocks import Document
from reports.svg import TEMPLATES, environment


def page(document: Document) -> str:
    """The page with its style inside it; nothing is fetched."""
    letters = document.letters
    logo = f"data:{letters.logo_type};base64,{letters.logo}" if letters.logo else ""
    return _filled(document, logo, style())


def layout(document: Document, logo: str) -> str:
    """The page without style, for the program that lays it out."""
    return _filled(document, logo, "")


@cache
def style(name: str = "screen.css") -> str:
    """A style sheet of this package."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _filled(document: Document, logo: str, css: str) -> str:
    template = environment().get_template("document.html.j2")
    return template.render(document=document, logo=logo, style=css)
