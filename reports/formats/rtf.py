"""RTF: a document for charts that take no PDF; pictures told in words, tables as tables.

Text is written by numbers of its UTF-16 units, so nothing in it can be read as a command.
"""

from reports.blocks import Block, Document, Paragraph, Picture, Section, Table, TableRow
from reports.blocks import Run as Words

_HEAD = (
    r"{\rtf1\ansi\ansicpg1252\deff0\uc1"
    r"{\fonttbl{\f0\fswiss\fcharset0 Arial;}}"
    r"\paperw11906\paperh16838\margl907\margr907\margt964\margb850"
)
_LINE = 10_090
"""The width between the margins, in twentieths of a point."""
_SIZES = {"small": 16, "source": 16, "limit": 17, "band": 32, "headline": 20}
_ORDINARY = 18
_SHARES = {3: (0.28, 0.10, 0.62), 4: (0.30, 0.15, 0.25, 0.30)}
_LANGUAGES = {"en": 2057, "de": 1031, "es": 3082}


def rtf(document: Document) -> str:
    """The document; ASCII throughout."""
    language = _LANGUAGES.get(document.language, 1033)
    before, between, after = (*document.page_of, "", "")[:3]
    page = (
        f"{_text(before)}{{\\field{{\\*\\fldinst PAGE}}}}{_text(between)}"
        f"{{\\field{{\\*\\fldinst NUMPAGES}}}}{_text(after)}"
    )
    letters = document.letters
    opening = [
        _HEAD,
        f"\\deflang{language}\\lang{language}\\fs{_ORDINARY}",
        f"{{\\info{{\\title {_text(document.title)}}}}}",
        f"{{\\header\\pard\\fs15 {_text(document.who)}\\tab\\b {_text(document.mark)}\\b0\\par}}",
        f"{{\\footer\\pard\\fs15 {_text(document.what)}\\tab {page}\\par}}",
        *(
            f"\\pard\\qr\\fs16 {_text(each)}\\par"
            for each in (letters.name, *letters.lines)
            if each
        ),
        f"\\pard\\sb60\\fs34\\b {_text(document.title)}\\b0\\par",
        f"\\pard\\fs18 {_text(document.lead)}\\par",
    ]
    return "\n".join([*opening, *map(_told, document.blocks), "}", ""])


def _told(block: Block) -> str:
    match block:
        case Paragraph():
            return _paragraph(block)
        case Picture():
            return f"\\pard\\sb40\\fs{_ORDINARY} {_text(block.words)}\\par"
        case Table():
            return _table(block)
        case Section():
            told = "\n".join(_told(each) for each in block.blocks)
            if not block.heading:
                return told
            return f"\\pard\\keepn\\sb140\\sa20\\fs22\\b {_text(block.heading)}\\b0\\par\n{told}"


def _paragraph(given: Paragraph) -> str:
    size = _SIZES.get(given.role, _ORDINARY)
    aside = f"{_text(given.aside)} " if given.aside else ""
    return f"\\pard\\sb20\\fs{size} {aside}{''.join(map(_run, given.runs))}\\par"


def _run(run: Words) -> str:
    return f"{{\\b {_text(run.text)}}}" if run.strong else _text(run.text)


def _table(table: Table) -> str:
    head = TableRow(cells=table.columns, part=True)
    caption = f"\\pard\\sb40\\fs16 {_text(table.caption)}\\par"
    rows = [_row(head, header=True), *(_row(each) for each in table.rows)]
    return "\n".join([caption, *rows, "\\pard"])


def _row(row: TableRow, *, header: bool = False) -> str:
    count = len(row.cells)
    shares = _SHARES.get(count, (1 / count,) * count)
    ends = [round(_LINE * sum(shares[: place + 1])) for place in range(count)]
    edges = "".join(f"\\cellx{end}" for end in ends)
    strong = "\\b" if row.part else "\\b0"
    cells = "".join(f"\\pard\\intbl{strong}\\fs16 {_text(each)}\\cell" for each in row.cells)
    repeated = "\\trhdr" if header else ""
    return f"\\trowd\\trgaph60{repeated}{edges}{cells}\\b0\\row"


def _text(text: str) -> str:
    return "".join(map(_character, text))


def _character(character: str) -> str:
    code = ord(character)
    if character in "\\{}":
        return f"\\'{code:02x}"
    if character == "\n":
        return "\\line "
    if character == "\t":
        return "\\tab "
    if 32 <= code < 127:
        return character
    raw = character.encode("utf-16-le")
    units = [int.from_bytes(raw[place : place + 2], "little", signed=True) for place in (0, 2)]
    return "".join(f"\\u{unit}?" for unit in units[: len(raw) // 2])
