"""Plain text: a document in lines of at most 100 characters, pictures told in words."""

import textwrap

from reports.blocks import Block, Document, Paragraph, Picture, Section, Table

WIDTH = 100


def plain(document: Document) -> str:
    """The document as text."""
    letters = document.letters
    head = [letters.name, *letters.lines, document.mark, document.title, document.lead]
    body = "\n".join(_told(each) for each in document.blocks)
    foot = "\n".join(filter(None, (document.who, document.what)))
    return "\n".join([*filter(None, head), "", body, "", foot, ""])


def words_of(given: Paragraph) -> str:
    """The words of a paragraph, with what stands before them."""
    runs = "".join(each.text for each in given.runs)
    return f"{given.aside} {runs}".strip()


def _told(block: Block) -> str:
    match block:
        case Paragraph():
            return "\n".join(_wrapped(line) for line in words_of(block).split("\n"))
        case Picture():
            return _wrapped(block.words)
        case Table():
            return _table(block)
        case Section():
            return _section(block)


def _section(section: Section) -> str:
    lines = [_told(each) for each in section.blocks]
    if section.heading:
        lines = ["", section.heading.upper(), *lines]
    return "\n".join(lines)


def _table(table: Table) -> str:
    """Each row on a line of its own, its cells after one another."""
    lines = [_wrapped(table.caption), _wrapped(" | ".join(table.columns))]
    for row in table.rows:
        told = " | ".join(each for each in row.cells if each)
        lines.append(("\n" if row.part else "") + _wrapped(told, "  "))
    return "\n".join(lines)


def _wrapped(line: str, indent: str = "") -> str:
    return textwrap.fill(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
