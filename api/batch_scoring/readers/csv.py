"""CSV in: comma, semicolon or tab; byte-order marks, CRLF and newlines in quotes as they come.

A blank line is no row, wherever it stands; a line of empty cells is one (nothing answered). A row
with more or fewer cells than the header has is a problem of that row.
"""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import BinaryIO, NamedTuple, cast

import polars as pl

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers.base import Rows, faults_of
from api.batch_scoring.readers.record_blocks import Block, blocks

HEADER_BYTES = 4 * 1024 * 1024
_SEPARATORS = (",", ";", "\t")
_EXTRA = "\0extra"
_CELLS = "not_so_many_cells"


class Table(NamedTuple):
    """The header of a file: how its cells are separated, and which columns are read."""

    encoding: str
    separator: str
    width: int
    kept: dict[int, str]


class Text(NamedTuple):
    """Lines, none of them blank; `places` are where each stood in a block that begins at `line`.

    A blank line between quotation marks is no line of its own, and stays.
    """

    raw: bytes
    line: int
    places: Sequence[int]

    def on(self, number: int) -> int:
        """On which line of the file the line of this number, from 0, stood."""
        return self.line + self.places[number]


class CsvPiece(NamedTuple):
    """A piece of a CSV file."""

    block: Block
    table: Table

    @property
    def bytes(self) -> int:
        """How much of the input it is."""
        return len(self.block.raw)

    def rows(self) -> Rows:
        """The cells as texts; None where nothing was answered."""
        text = _text(_utf8(self.block, self.table.encoding), self.block.line)
        try:
            frame = _parsed(text.raw, self.table, [*self.table.kept, self.table.width])
        except pl.exceptions.PolarsError:
            return _one_by_one(text, self.table)
        if not _even(frame, text.raw, self.table):
            return _one_by_one(text, self.table)
        lines = partial(_lines, text, self.table.separator, frame.height)
        named = {
            place: pl.col(_place(place)).alias(name) for place, name in self.table.kept.items()
        }
        return Rows(frame.select(named.values()), faults_of(()), lines)


def csv_pieces(
    stream: BinaryIO,
    names: ColumnNames,
    *,
    encoding: str = "utf-8",
    block_bytes: int | None = None,
    record_bytes: int | None = None,
) -> Iterator[CsvPiece]:
    """The pieces of a CSV file. Raises UnusableInputError for its header or a line too long."""
    head, line = _head(stream)
    table, body, line = _table(head, names, encoding, line)
    rest = cast("BinaryIO", _Chained(body, stream))
    for block in blocks(rest, line=line, block_bytes=block_bytes, record_bytes=record_bytes):
        yield CsvPiece(block, table)


class _Chained(io.RawIOBase):
    """What was read already, then the rest of the stream."""

    def __init__(self, first: bytes, stream: BinaryIO) -> None:
        super().__init__()
        self._first, self._stream = first, stream

    def read(self, size: int = -1) -> bytes:
        if self._first and size >= 0:
            taken, self._first = self._first[:size], self._first[size:]
            return taken if len(taken) == size else taken + self._stream.read(size - len(taken))
        return self._stream.read(size)


def _head(stream: BinaryIO) -> tuple[bytes, int]:
    """The beginning of the file, with its whole header; a line `sep=;` is left to `_table`."""
    head = b""
    while len(head) < HEADER_BYTES:
        piece = stream.read(64 * 1024)
        head += piece
        if not piece or head.count(b"\n") > 1:
            break
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnusableInputError("the file is UTF-16; save it as UTF-8")
    if len(head) >= HEADER_BYTES and b"\n" not in head:
        raise UnusableInputError(
            f"line 1: the header must not be longer than {HEADER_BYTES:,} bytes"
        )
    return head.removeprefix(codecs.BOM_UTF8), 1


def _table(head: bytes, names: ColumnNames, encoding: str, line: int) -> tuple[Table, bytes, int]:
    separator = None
    first, newline, rest = head.partition(b"\n")
    if first.lower().startswith(b"sep=") and len(first.strip()) == 5:
        separator, line = first.strip()[4:].decode("latin-1"), line + 1
        first, newline, rest = rest.partition(b"\n")
    while newline and first.count(b'"') % 2:
        more, newline, rest = rest.partition(b"\n")
        first += b"\n" + more
    if b"\r" in first.rstrip(b"\r"):
        raise UnusableInputError("line 1: lines must end with LF or CRLF, not with CR alone")
    text = _utf8(Block(first, line), encoding).decode()
    if not text.strip():
        raise UnusableInputError(f"line {line}: there is no header")
    separator = separator or max(_SEPARATORS, key=_outside_quotes(text).__getitem__)
    header = [
        name.strip()
        for name in next(csv.reader([*text.splitlines(keepends=True)], delimiter=separator))
    ]
    while header and not header[-1]:
        header.pop()
    table = Table(encoding, separator, len(header), names.kept(header))
    return table, rest, line + first.count(b"\n") + 1


def _outside_quotes(text: str) -> Counter[str]:
    return Counter("".join(text.split('"')[::2]))


def _utf8(block: Block, encoding: str) -> bytes:
    if b"\0" in block.raw:
        line = block.line + block.raw.count(b"\n", 0, block.raw.index(b"\0"))
        raise UnusableInputError(f"line {line}: must not hold a NUL character")
    if encoding == "utf-8":
        return block.raw
    return block.raw.decode(encoding, errors="replace").encode()


def _text(raw: bytes, line: int) -> Text:
    if b'"' in raw or not _may_be_blank(raw):
        whole = raw.rstrip(b"\r\n") + b"\n"
        return Text(whole, line, range(whole.count(b"\n")))
    lines = raw.split(b"\n")
    places = [place for place, each in enumerate(lines) if each not in (b"", b"\r")]
    return Text(b"".join(lines[place] + b"\n" for place in places), line, places)


def _may_be_blank(text: bytes) -> bool:
    """Whether a line of it, or of a cell, is blank."""
    return text.startswith((b"\n", b"\r\n")) or b"\n\n" in text or b"\n\r\n" in text


def _parsed(text: bytes, table: Table, places: Sequence[int]) -> pl.DataFrame:
    """The columns in these places; the one behind the last holds what is too much."""
    return pl.read_csv(
        text,
        has_header=False,
        schema={**{_place(place): pl.String for place in range(table.width)}, _EXTRA: pl.String},
        columns=[*places],
        separator=table.separator,
        truncate_ragged_lines=True,
        missing_columns="insert",
        raise_if_empty=False,
    )


def _even(frame: pl.DataFrame, text: bytes, table: Table) -> bool:
    """Whether every row surely has as many cells as the header, seen without reading each."""
    if frame[_EXTRA].null_count() < frame.height:
        return False
    separators = text.count(table.separator.encode())
    if b'"' in text:
        every = _parsed(text, table, [*range(table.width)])
        if _may_be_blank(text) and every.select(pl.all_horizontal(pl.all().is_null()).any()).item():
            return False
        within = pl.all().str.count_matches(table.separator, literal=True).sum()
        separators -= every.select(pl.sum_horizontal(within)).item()
    return bool(separators == frame.height * (table.width - 1))


def _place(place: int) -> str:
    return str(place)


def _one_by_one(text: Text, table: Table) -> Rows:
    """The same read row by row, for what is uneven: each row's cells are counted."""
    cells: list[list[str | None]] = []
    faults, begins = [], []
    for number, row in _rows(text, table.separator):
        width = len(row)
        while width > table.width and not row[width - 1]:
            width -= 1
        wrong = width != table.width
        if wrong:
            faults.append((len(cells), None, _CELLS, f"must have {table.width} cells"))
        begins.append(text.on(number))
        cells.append([None if wrong else row[place] or None for place in table.kept])
    frame = pl.DataFrame(cells, schema=dict.fromkeys(table.kept.values(), pl.String), orient="row")
    return Rows(frame, faults_of(faults), lambda rows: [begins[row] for row in rows])


def _rows(text: Text, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, with the number of the line on which it begins, from 0."""
    try:
        lines = io.StringIO(text.raw.decode(), newline="")
    except UnicodeDecodeError as error:
        at = text.on(text.raw.count(b"\n", 0, error.start))
        raise UnusableInputError(
            f"line {at}: is not UTF-8", option="--encoding latin-1 reads old files"
        ) from None
    reader = csv.reader(lines, delimiter=separator)
    before = 0
    for row in reader:
        if row:
            yield before, row
        before = reader.line_num


def _lines(text: Text, separator: str, height: int, rows: list[int]) -> list[int]:
    """The lines of these rows; where a cell holds a newline, they are counted."""
    if text.raw.count(b"\n") == height:
        return [text.on(row) for row in rows]
    begins = [text.on(number) for number, _ in _rows(text, separator)]
    return [begins[row] for row in rows]
