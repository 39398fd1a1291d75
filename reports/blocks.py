"""Define the blocks of a document; every format writes the same blocks in the same order."""

from typing import Annotated, Literal, Union

from pydantic import Field

from schemas.base import FrozenModel, Many


class Run(FrozenModel):
    """Text in one weight."""

    text: str
    strong: bool = False


class Paragraph(FrozenModel):
    """A paragraph of text; `aside` stands before it, in the margin if the format has one."""

    kind: Literal["paragraph"] = "paragraph"
    role: str = ""
    aside: str = ""
    runs: Many[Run]


class TableRow(FrozenModel):
    """Cells of a row; the first is its header. A `part` is a subheading of the rows below it."""

    cells: Many[str]
    part: bool = False


class Table(FrozenModel):
    """A table with a caption and column headers."""

    kind: Literal["table"] = "table"
    role: str = ""
    caption: str
    columns: Many[str]
    rows: Many[TableRow]


class Picture(FrozenModel):
    """An SVG drawing; `words` is its text alternative."""

    kind: Literal["picture"] = "picture"
    role: str
    words: str
    svg: str


class Section(FrozenModel):
    """Blocks under a heading."""

    kind: Literal["section"] = "section"
    role: str = ""
    level: int = 2
    heading: str = ""
    blocks: Many["Block"]


Block = Annotated[Union[Paragraph, Table, Picture, Section], Field(discriminator="kind")]  # noqa: UP007 - `|` can't name a class that is not yet defined


class Letters(FrozenModel):
    """The letterhead as printed; the logo is Base64."""

    name: str = ""
    lines: Many[str] = ()
    logo: str = ""
    logo_type: str = ""


class Document(FrozenModel):
    """A document: texts that stand on every page, and its blocks.

    `who` names the patient and `what` the rulebook; `mark` warns of an error or a test. `page_of`
    holds the texts around the page number and the number of pages. `attached` is JSON.
    """

    role: Literal["report", "sheet"] = "report"
    language: str
    title: str
    lead: str
    description: str
    letters: Letters
    who: str
    what: str
    mark: str
    page_of: Many[str]
    made_at: str
    blocks: Many[Block]
    attached: str = ""
    attached_as: str = ""


def paragraph(text: str, role: str = "", *, strong: str = "", aside: str = "") -> Paragraph:
    """Return a paragraph that begins with the strong text."""
    opening = (Run(text=strong + (" " if text else ""), strong=True),) if strong else ()
    return Paragraph(role=role, aside=aside, runs=(*opening, *((Run(text=text),) if text else ())))
