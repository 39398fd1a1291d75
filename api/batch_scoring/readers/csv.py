"""Reads CSV: comma, semicolon or tab; byte-order marks, CRLF and newlines in quotes are accepted.

A blank line is not a row, wherever it is; a line of empty cells is a row with nothing answered. A
row with more or fewer cells than the header is a problem of that row.
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
from api.batch_scoring.readers.base import ParsedRows, build_faults_frame
from api.batch_scoring.readers.record_blocks import RecordBlock, read_blocks

HEADER_BYTES = 4 * 1024 * 1024
_SEPARATORS = (",", ";", "\t")
_EXTRA = "\0extra"
_CELLS = "not_so_many_cells"


class CsvLayout(NamedTuple):
    """The layout of a file; `columns` are the names of the columns to read, by position."""

    encoding: str
    separator: str
    width: int
    columns: dict[int, str]


class TextLines(NamedTuple):
    """The lines of a block, blank ones removed; `places` are their positions in the block.

    The block begins at `line` of the file. A blank line between quotation marks is part of a cell
    and stays.
    """

    raw: bytes
    line: int
    places: Sequence[int]

    def file_line(self, number: int) -> int:
        """Return the line of the file at which line `number` (from 0) was."""
        return self.line + self.places[number]


class CsvPiece(NamedTuple):
    """A piece of a CSV file."""

    block: RecordBlock
    layout: CsvLayout

    @property
    def input_bytes(self) -> int:
        """The bytes of input that the piece covers."""
        return len(self.block.raw)

    def parse_rows(self) -> ParsedRows:
        """Parse the cells as texts; None if not answered. Raises UnusableInputError."""
        text = _remove_blank_lines(_decode(self.block, self.layout.encoding), self.block.first_line)
        try:
            frame = _parse(text.raw, self.layout, [*self.layout.columns, self.layout.width])
        except pl.exceptions.PolarsError:
            return _parse_by_row(text, self.layout)
        if not _is_even(frame, text.raw, self.layout):
            return _parse_by_row(text, self.layout)
        lines = partial(_find_lines, text, self.layout.separator, frame.height)
        columns = [pl.col(str(place)).alias(name) for place, name in self.layout.columns.items()]
        return ParsedRows(frame.select(columns), build_faults_frame(()), lines)


def read_csv_pieces(
    stream: BinaryIO,
    names: ColumnNames,
    *,
    encoding: str = "utf-8",
    block_bytes: int | None = None,
    record_bytes: int | None = None,
) -> Iterator[CsvPiece]:
    """Yield the pieces of a CSV file. Raises UnusableInputError for its header or a long line."""
    layout, rest, line = _read_header(_read_start(stream), names, encoding)
    body = cast("BinaryIO", _Chained(rest, stream))
    for block in read_blocks(body, line=line, block_bytes=block_bytes, record_bytes=record_bytes):
        yield CsvPiece(block, layout)


class _Chained(io.RawIOBase):
    """Bytes that were read already, followed by the rest of the stream."""

    def __init__(self, first: bytes, stream: BinaryIO) -> None:
        super().__init__()
        self._first, self._stream = first, stream

    def read(self, size: int = -1) -> bytes:
        if self._first and size >= 0:
            piece, self._first = self._first[:size], self._first[size:]
            return piece if len(piece) == size else piece + self._stream.read(size - len(piece))
        return self._stream.read(size)


def _read_start(stream: BinaryIO) -> bytes:
    """Read the beginning of the file, with its whole header, without a byte-order mark."""
    start = b""
    while len(start) < HEADER_BYTES:
        piece = stream.read(64 * 1024)
        start += piece
        if not piece or start.count(b"\n") > 1:
            break
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnusableInputError("the file is UTF-16; save it as UTF-8")
    if len(start) >= HEADER_BYTES and b"\n" not in start:
        raise UnusableInputError(
            f"line 1: the header must not be longer than {HEADER_BYTES:,} bytes"
        )
    return start.removeprefix(codecs.BOM_UTF8)


def _read_header(start: bytes, names: ColumnNames, encoding: str) -> tuple[CsvLayout, bytes, int]:
    """Return the layout, the bytes after the header, and the line on which they begin."""
    separator, line = None, 1
    first, newline, rest = start.partition(b"\n")
    if first.lower().startswith(b"sep=") and len(first.strip()) == 5:
        separator, line = first.strip()[4:].decode("latin-1"), line + 1
        first, newline, rest = rest.partition(b"\n")
    while newline and first.count(b'"') % 2:
        more, newline, rest = rest.partition(b"\n")
        first += b"\n" + more
    if b"\r" in first.rstrip(b"\r"):
        raise UnusableInputError("line 1: lines must end with LF or CRLF, not with CR alone")
    text = _decode(RecordBlock(first, line), encoding).decode()
    if not text.strip():
        raise UnusableInputError(f"line {line}: the header is missing")
    separator = separator or max(_SEPARATORS, key=_count_outside_quotes(text).__getitem__)
    header = [
        name.strip()
        for name in next(csv.reader([*text.splitlines(keepends=True)], delimiter=separator))
    ]
    while header and not header[-1]:
        header.pop()
    layout = CsvLayout(encoding, separator, len(header), names.match_header(header))
    return layout, rest, line + first.count(b"\n") + 1


def _count_outside_quotes(text: str) -> Counter[str]:
    return Counter("".join(text.split('"')[::2]))


def _decode(block: RecordBlock, encoding: str) -> bytes:
    """Return the block as UTF-8, which is not validated here."""
    if b"\0" in block.raw:
        line = block.first_line + block.raw.count(b"\n", 0, block.raw.index(b"\0"))
        raise UnusableInputError(f"line {line}: must not contain a NUL character")
    if encoding == "utf-8":
        return block.raw
    return block.raw.decode(encoding, errors="replace").encode()


def _remove_blank_lines(raw: bytes, line: int) -> TextLines:
    if b'"' in raw or not _may_have_blank_line(raw):
        stripped = raw.rstrip(b"\r\n") + b"\n"
        return TextLines(stripped, line, range(stripped.count(b"\n")))
    lines = raw.split(b"\n")
    places = [place for place, content in enumerate(lines) if content not in (b"", b"\r")]
    return TextLines(b"".join(lines[place] + b"\n" for place in places), line, places)


def _may_have_blank_line(text: bytes) -> bool:
    return text.startswith((b"\n", b"\r\n")) or b"\n\n" in text or b"\n\r\n" in text


def _parse(text: bytes, layout: CsvLayout, places: Sequence[int]) -> pl.DataFrame:
    """Return the columns at these places; the one after the last holds a surplus cell."""
    names = [str(place) for place in range(layout.width)]
    return pl.read_csv(
        text,
        has_header=False,
        schema={**dict.fromkeys(names, pl.String), _EXTRA: pl.String},
        columns=[*places],
        separator=layout.separator,
        truncate_ragged_lines=True,
        missing_columns="insert",
        raise_if_empty=False,
    )


def _is_even(frame: pl.DataFrame, text: bytes, layout: CsvLayout) -> bool:
    """Check, by counting separators, that every row has as many cells as the header."""
    if frame[_EXTRA].null_count() < frame.height:
        return False
    separators = text.count(layout.separator.encode())
    if b'"' in text:
        cells = _parse(text, layout, [*range(layout.width)])
        has_empty_row = pl.all_horizontal(pl.all().is_null()).any()
        if _may_have_blank_line(text) and cells.select(has_empty_row).item():
            return False
        within = pl.all().str.count_matches(layout.separator, literal=True).sum()
        separators -= cells.select(pl.sum_horizontal(within)).item()
    return bool(separators == frame.height * (layout.width - 1))


def _parse_by_row(text: TextLines, layout: CsvLayout) -> ParsedRows:
    """Parse an uneven block row by row, counting the cells of each row."""
    rows: list[list[str | None]] = []
    faults, first_lines = [], []
    for number, row in _read_rows(text, layout.separator):
        width = len(row)
        while width > layout.width and not row[width - 1]:
            width -= 1
        is_faulty = width != layout.width
        if is_faulty:
            faults.append((len(rows), None, _CELLS, f"must have {layout.width} cells"))
        first_lines.append(text.file_line(number))
        rows.append([None if is_faulty else row[place] or None for place in layout.columns])
    schema = dict.fromkeys(layout.columns.values(), pl.String)
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return ParsedRows(
        frame, build_faults_frame(faults), lambda rows: [first_lines[row] for row in rows]
    )


def _read_rows(text: TextLines, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield every row that is not blank, with the number of its first line, from 0."""
    try:
        lines = io.StringIO(text.raw.decode(), newline="")
    except UnicodeDecodeError as error:
        line = text.file_line(text.raw.count(b"\n", 0, error.start))
        raise UnusableInputError(
            f"line {line}: is not UTF-8", option="try --encoding latin-1"
        ) from None
    reader = csv.reader(lines, delimiter=separator)
    lines_before = 0
    for row in reader:
        if row:
            yield lines_before, row
        lines_before = reader.line_num


def _find_lines(text: TextLines, separator: str, height: int, rows: list[int]) -> list[int]:
    """Return the first line of these rows; lines are only counted if a cell has a newline."""
    if text.raw.count(b"\n") == height:
        return [text.file_line(row) for row in rows]
    first_lines = [text.file_line(number) for number, _ in _read_rows(text, separator)]
    return [first_lines[row] for row in rows]
