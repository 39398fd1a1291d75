"""Write a document as RTF, for charts that take no PDF; drawings are described in words.

RTF control characters are escaped; non-ASCII characters are written as UTF-16 units.
"""

from reports.blocks import Block, Document, Drawing, Paragraph, Section, Table, TableRow, TextRun

_HEAD = (
    r"{\rtf1\ansi\ansicpg1252\deff0\uc1"
    r"{\fonttbl{\f0\fswiss\fcharset0 Arial;}}"
    r"\paperw11906\paperh16838\margl907\margr907\margt964\margb850"
)
_LINE_WIDTH = 10_090
"""Width between the margins, in twentieths of a point."""
_FONT_SIZES = {"small": 16, "source": 16, "limit": 17, "band": 32, "headline": 20}
_DEFAULT_FONT_SIZE = 18
"""Font sizes are in half points."""
_COLUMN_SHARES = {3: (0.28, 0.10, 0.62), 4: (0.30, 0.15, 0.25, 0.30)}
_LANGUAGE_IDS = {"en": 2057, "de": 1031, "es": 3082}


def render_rtf(document: Document) -> str:
    """Return the document as RTF, in ASCII only."""
    language = _LANGUAGE_IDS.get(document.language, 1033)
    before, between, after = (*document.page_number_texts, "", "")[:3]
    page = (
        f"{_escape(before)}{{\\field{{\\*\\fldinst PAGE}}}}{_escape(between)}"
        f"{{\\field{{\\*\\fldinst NUMPAGES}}}}{_escape(after)}"
    )
    letters = document.letterhead
    patient_line, warning, rulebook_line = map(
        _escape, (document.patient_line, document.warning, document.rulebook_line)
    )
    head = [
        _HEAD,
        f"\\deflang{language}\\lang{language}\\fs{_DEFAULT_FONT_SIZE}",
        f"{{\\info{{\\title {_escape(document.title)}}}}}",
        f"{{\\header\\pard\\fs15 {patient_line}\\tab\\b {warning}\\b0\\par}}",
        f"{{\\footer\\pard\\fs15 {rulebook_line}\\tab {page}\\par}}",
        *(
            f"\\pard\\qr\\fs16 {_escape(line)}\\par"
            for line in (letters.name, *letters.lines)
            if line
        ),
        f"\\pard\\sb60\\fs34\\b {_escape(document.title)}\\b0\\par",
        f"\\pard\\fs18 {_escape(document.lead)}\\par",
    ]
    return "\n".join([*head, *map(_write_block, document.blocks), "}", ""])


def _write_block(block: Block) -> str:
    match block:
        case Paragraph():
            return _write_paragraph(block)
        case Drawing():
            return f"\\pard\\sb40\\fs{_DEFAULT_FONT_SIZE} {_escape(block.alt_text)}\\par"
        case Table():
            return _write_table(block)
        case Section():
            blocks = "\n".join(map(_write_block, block.blocks))
            if not block.heading:
                return blocks
            return (
                f"\\pard\\keepn\\sb140\\sa20\\fs22\\b {_escape(block.heading)}\\b0\\par\n{blocks}"
            )


def _write_paragraph(paragraph: Paragraph) -> str:
    size = _FONT_SIZES.get(paragraph.role, _DEFAULT_FONT_SIZE)
    aside = f"{_escape(paragraph.margin_text)} " if paragraph.margin_text else ""
    return f"\\pard\\sb20\\fs{size} {aside}{''.join(map(_write_run, paragraph.runs))}\\par"


def _write_run(run: TextRun) -> str:
    return f"{{\\b {_escape(run.text)}}}" if run.strong else _escape(run.text)


def _write_table(table: Table) -> str:
    head = TableRow(cells=table.columns, is_subheading=True)
    caption = f"\\pard\\sb40\\fs16 {_escape(table.caption)}\\par"
    rows = [_write_row(head, header=True), *map(_write_row, table.rows)]
    return "\n".join([caption, *rows, "\\pard"])


def _write_row(row: TableRow, *, header: bool = False) -> str:
    count = len(row.cells)
    shares = _COLUMN_SHARES.get(count, (1 / count,) * count)
    ends = [round(_LINE_WIDTH * sum(shares[: column + 1])) for column in range(count)]
    edges = "".join(f"\\cellx{end}" for end in ends)
    strong = "\\b" if row.is_subheading else "\\b0"
    cells = "".join(f"\\pard\\intbl{strong}\\fs16 {_escape(cell)}\\cell" for cell in row.cells)
    repeat_header = "\\trhdr" if header else ""
    return f"\\trowd\\trgaph60{repeat_header}{edges}{cells}\\b0\\row"


def _escape(text: str) -> str:
    return "".join(map(_escape_character, text))


def _escape_character(character: str) -> str:
    code = ord(character)
    if character in "\\{}":
        return f"\\'{code:02x}"
    if character == "\n":
        return "\\line "
    if character == "\t":
        return "\\tab "
    if 32 <= code < 127:
        return character
    encoded = character.encode("utf-16-le")
    units = [int.from_bytes(encoded[start : start + 2], "little", signed=True) for start in (0, 2)]
    return "".join(f"\\u{unit}?" for unit in units[: len(encoded) // 2])
