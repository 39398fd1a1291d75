"""Blocks: a document before any format; what every format writes, in the same order."""

from typing import Annotated, Literal, Union

from pydantic import Field

from schemas.base import Frozen, Many


class Run(Frozen):
    """Words in one weight."""

    text: str
    strong: bool = False


class Paragraph(Frozen):
    """Words in a row; `aside` stands before them, in the margin where there is one."""

    kind: Literal["paragraph"] = "paragraph"
    role: str = ""
    aside: str = ""
    runs: Many[Run]


class TableRow(Frozen):
    """The cells of a row, the first of which heads it; a `part` heads the rows that follow."""

    cells: Many[str]
    part: bool = False


class Table(Frozen):
    """Rows under named columns."""

    kind: Literal["table"] = "table"
    role: str = ""
    caption: str
    columns: Many[str]
    rows: Many[TableRow]


class Picture(Frozen):
    """A drawing with the same in words."""

    kind: Literal["picture"] = "picture"
    role: str
    words: str
    svg: str


class Section(Frozen):
    """Blocks under a heading."""

    kind: Literal["section"] = "section"
    role: str = ""
    level: int = 2
    heading: str = ""
    blocks: Many["Block"]


Block = Annotated[Union[Paragraph, Table, Picture, Section], Field(discriminator="kind")]  # noqa: UP007 - `|` cannot name the class that is being made


class Letters(Frozen):
    """The letterhead as it is printed."""

    name: str = ""
    lines: Many[str] = ()
    logo: str = ""
    logo_type: str = ""


class Document(Frozen):
    """A whole document: what stands on every page, and the blocks."""

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
    """A paragraph that begins in strong words."""
    begun = (Run(text=strong + (" " if text else ""), strong=True),) if strong else ()
    return Paragraph(role=role, aside=aside, runs=(*begun, *((Run(text=text),) if text else ())))
