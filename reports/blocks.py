"""Define the blocks of a document; every format writes the same blocks in the same order."""

from typing import Annotated, Literal, Union

from pydantic import Field

from schemas.base import FrozenModel, Many


class TextRun(FrozenModel):
    """Text in one weight."""

    text: str
    strong: bool = False


class Paragraph(FrozenModel):
    """A paragraph of text, preceded by its margin text, which is in the margin if there is one."""

    kind: Literal["paragraph"] = "paragraph"
    role: str = ""
    margin_text: str = ""
    runs: Many[TextRun]


class TableRow(FrozenModel):
    """Cells of a row; the first is its header. A subheading heads the rows below it."""

    cells: Many[str]
    is_subheading: bool = False


class Table(FrozenModel):
    """A table with a caption and column headers."""

    kind: Literal["table"] = "table"
    role: str = ""
    caption: str
    columns: Many[str]
    rows: Many[TableRow]


class Drawing(FrozenModel):
    """An SVG drawing with its text alternative."""

    kind: Literal["picture"] = "picture"
    role: str
    alt_text: str
    svg: str


class Section(FrozenModel):
    """Blocks under a heading."""

    kind: Literal["section"] = "section"
    role: str = ""
    level: int = 2
    heading: str = ""
    blocks: Many["Block"]


Block = Annotated[Union[Paragraph, Table, Drawing, Section], Field(discriminator="kind")]  # noqa: UP007 - `|` can't name a class that is not yet defined


class PrintedLetterhead(FrozenModel):
    """The letterhead as printed; the logo is Base64."""

    name: str = ""
    lines: Many[str] = ()
    logo: str = ""
    logo_type: str = ""


class Document(FrozenModel):
    """A document: its blocks, and the texts that are printed on every page.

    `warning` marks errors and tests. `page_number_texts` are the texts before, between and after
    the page number and the number of pages. A restricted document holds what others must not
    read. `attachment` is JSON.
    """

    role: Literal["report", "sheet"] = "report"
    language: str
    title: str
    lead: str
    description: str
    letterhead: PrintedLetterhead
    patient_line: str
    rulebook_line: str
    warning: str
    page_number_texts: Many[str]
    created_at: str
    blocks: Many[Block]
    is_restricted: bool = False
    attachment: str = ""
    attachment_description: str = ""


def paragraph(text: str, role: str = "", *, strong: str = "", aside: str = "") -> Paragraph:
    """Return a paragraph that begins with the strong text."""
    opening = (TextRun(text=strong + (" " if text else ""), strong=True),) if strong else ()
    return Paragraph(
        role=role, margin_text=aside, runs=(*opening, *((TextRun(text=text),) if text else ()))
    )
