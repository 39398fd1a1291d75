"""Write a document as plain text in lines of at most 100 characters; charts are described."""

import textwrap

from reports.blocks import Block, Document, Drawing, Paragraph, Section, Table

LINE_WIDTH = 100


def render_plain_text(document: Document) -> str:
    """Return the document as text."""
    letters = document.letterhead
    head = [letters.name, *letters.lines, document.warning, document.title, document.lead]
    body = "\n".join(map(_write_block, document.blocks))
    foot = "\n".join(filter(None, (document.patient_line, document.rulebook_line)))
    return "\n".join([*filter(None, head), "", body, "", foot, ""])


def paragraph_text(block: Paragraph) -> str:
    """Return the text of a paragraph, after its margin text."""
    runs = "".join(run.text for run in block.runs)
    return f"{block.margin_text} {runs}".strip()


def _write_block(block: Block) -> str:
    match block:
        case Paragraph():
            return "\n".join(_wrap(line) for line in paragraph_text(block).split("\n"))
        case Drawing():
            return _wrap(block.alt_text)
        case Table():
            return _write_table(block)
        case Section():
            return _write_section(block)


def _write_section(section: Section) -> str:
    lines = [_write_block(block) for block in section.blocks]
    if section.heading:
        lines = ["", section.heading.upper(), *lines]
    return "\n".join(lines)


def _write_table(table: Table) -> str:
    """Write one row per line, its cells separated by bars."""
    lines = [_wrap(table.caption), _wrap(" | ".join(table.columns))]
    for row in table.rows:
        cells = " | ".join(filter(None, row.cells))
        lines.append(("\n" if row.is_subheading else "") + _wrap(cells, "  "))
    return "\n".join(lines)


def _wrap(line: str, indent: str = "") -> str:
    return textwrap.fill(
        line, LINE_WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
