"""Reads CSV with any separator; byte-order marks, CRLF and newlines in quotes are accepted.

A blank line is not a row, wherever it is; a line of empty cells is a row with nothing answered. A
row with more or fewer cells than the header is a problem of that row.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import BinaryIO, NamedTuple, cast

import polars as pl

from api.batch_scoring.column_names import ColumnNames, HeaderMatch
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers.base import ParsedRows, build_faults_frame
from api.batch_scoring.readers.record_blocks import RECORD_BYTES, RecordBlock, read_blocks
from api.batch_scoring.readers.text_decoding import SAMPLE_BYTES, decode_stream

_SEPARATORS = (",", ";", "\t", "|", "^")
_SEARCHED_LINES = 30
_EXTRA = "\0extra"
_CELLS = "not_so_many_cells"
_BLANK_LINE = re.compile(rb"\n\r?\n")
_ENDS_ONCE = re.compile(rb"[^\r\n]\n\Z")
_INVALID_BYTES = re.compile("[\udc80-\udcff]")


class CsvOptions(NamedTuple):
    """How to read a file: None is detected. `skip_rows` are rows below the header.

    `header_line` is the line of the header, from 1; the lines above are skipped.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header_line: int = 1
    skip_rows: int = 0


DETECT_ALL = CsvOptions()


class CsvLayout(NamedTuple):
    """The layout of a file; `columns` are the names of the columns to read, by position."""

    separator: str
    width: int
    columns: dict[int, str]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class TextLines(NamedTuple):
    """The lines of a block, blank ones removed; `places` are their positions in the block.

    The block begins at `line` of the file. A blank line between quotation marks is part of a cell
    and stays.
    """

    raw: bytes
    line: int
    places: Sequence[int]
    blank_lines: int

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

    @property
    def content(self) -> bytes:
        """The input that the piece covers."""
        return self.block.raw

    def parse_rows(self) -> ParsedRows:
        """Parse the cells as texts; None if not answered."""
        rows = self._parse_cells()
        layout = self.layout
        return rows._replace(left_out=layout.left_out, notes=layout.notes)

    def _parse_cells(self) -> ParsedRows:
        text = _remove_blank_lines(self.block.raw, self.block.first_line)
        if b"\0" in text.raw:
            return _parse_by_row(text, self.layout)
        try:
            frame = _parse(text.raw, self.layout, [*self.layout.columns, self.layout.width])
        except pl.exceptions.PolarsError:
            return _parse_by_row(text, self.layout)
        if not _is_even(frame, text.raw, self.layout):
            return _parse_by_row(text, self.layout)
        lines = partial(_find_lines, text, self.layout.separator, frame.height)
        columns = [pl.col(str(place)).alias(name) for place, name in self.layout.columns.items()]
        faults = build_faults_frame(())
        return ParsedRows(frame.select(columns), faults, lines, text.blank_lines)


def read_csv_pieces(
    stream: BinaryIO,
    names: ColumnNames,
    options: CsvOptions = DETECT_ALL,
    *,
    block_bytes: int | None = None,
    record_bytes: int | None = None,
) -> Iterator[CsvPiece]:
    """Yield the pieces of a CSV file. Raises UnusableInputError for its header or a long line."""
    decoded = decode_stream(stream, options.encoding)
    layout, rest, line = _read_header(decoded.start, names, options)
    if decoded.is_guessed:
        layout = layout._replace(
            notes=(*layout.notes, f"read as {decoded.encoding}; --encoding names another one")
        )
    body = cast("BinaryIO", _Chained(rest, cast("BinaryIO", decoded.stream)))
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


def _read_header(
    start: bytes, names: ColumnNames, options: CsvOptions
) -> tuple[CsvLayout, bytes, int]:
    """Return the layout, the bytes after the header, and the line on which they begin."""
    separator, line, rest = options.delimiter, 1, start
    first = rest.partition(b"\n")[0]
    if first.lower().startswith(b"sep=") and len(first.strip()) == 5:
        separator, line = separator or first.strip()[4:].decode("latin-1"), 2
        rest = rest.partition(b"\n")[2]
    while line < options.header_line and rest:
        rest, line = rest.partition(b"\n")[2], line + 1
    first, rest = _split_record(rest)
    if len(first) >= SAMPLE_BYTES:
        raise UnusableInputError(
            f"line {line}: the header must not be longer than {SAMPLE_BYTES:,} bytes"
        )
    if b"\0" in first:
        raise UnusableInputError(f"line {line}: must not contain a NUL character")
    text = first.decode("utf-8", "replace")
    if not text.strip():
        raise UnusableInputError(f"line {line}: the header is missing")
    separator = separator or max(_SEPARATORS, key=_count_outside_quotes(text).__getitem__)
    header = _split_header(text, separator)
    match = _match_header(header, names, rest, line)
    line += first.count(b"\n") + 1
    for _ in range(options.skip_rows):
        skipped, rest = _split_record(rest)
        line += skipped.count(b"\n") + 1
    return CsvLayout(separator, len(header), match.columns, match.left_out), rest, line


def _split_header(text: str, separator: str) -> list[str]:
    rows = csv.reader([*text.splitlines(keepends=True)], delimiter=separator)
    header = [name.strip() for name in next(rows)]
    while header and not header[-1]:
        header.pop()
    return header


def _split_record(text: bytes) -> tuple[bytes, bytes]:
    """Return the first record, which may have newlines within quotation marks, and the rest."""
    first, newline, rest = text.partition(b"\n")
    while newline and first.count(b'"') % 2:
        more, newline, rest = rest.partition(b"\n")
        first += b"\n" + more
    return first, rest


def _match_header(header: list[str], names: ColumnNames, rest: bytes, line: int) -> HeaderMatch:
    """Match the header. If another line looks like it, the error says which."""
    try:
        return names.match_header(header)
    except UnusableInputError as error:
        if any(map(names.is_known, header)):
            raise
        for number, raw in enumerate(rest.split(b"\n")[:_SEARCHED_LINES], line + 1):
            cells = re.split(r"[,;\t|]", raw.decode("utf-8", "replace"))
            if sum(names.is_known(cell.strip(' \r"')) for cell in cells) > len(cells) / 2:
                raise UnusableInputError(
                    f"the header seems to be in line {number}, not in line {line}",
                    option=f"--header-line {number} reads it there",
                ) from None
        raise error from None


def _count_outside_quotes(text: str) -> Counter[str]:
    return Counter("".join(text.split('"')[::2]))


def _remove_blank_lines(raw: bytes, line: int) -> TextLines:
    raw = raw.removesuffix(b"\x1a")
    if b'"' in raw or not _may_have_blank_line(raw):
        stripped = raw if _ENDS_ONCE.search(raw, len(raw) - 2) else raw.rstrip(b"\r\n") + b"\n"
        count = stripped.count(b"\n")
        blank_lines = 0 if stripped is raw else max(0, raw.count(b"\n") - count)
        return TextLines(stripped, line, range(count), blank_lines)
    lines = raw.split(b"\n")
    places = [place for place, content in enumerate(lines) if content not in (b"", b"\r")]
    blank_lines = len(lines) - len(places) - raw.endswith(b"\n")
    return TextLines(b"".join(lines[place] + b"\n" for place in places), line, places, blank_lines)


def _may_have_blank_line(text: bytes) -> bool:
    return text.startswith((b"\n", b"\r\n")) or _BLANK_LINE.search(text) is not None


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
    """Parse an uneven block row by row; a row with a fault is empty."""
    rows: list[list[str | None]] = []
    faults, first_lines, blank_lines = [], [], text.blank_lines
    for number, row in _read_rows(text, layout.separator):
        if not row:
            blank_lines += 1
            continue
        width = len(row)
        while width > layout.width and not row[width - 1]:
            width -= 1
        fault = _find_row_fault(row, width, layout.width)
        if fault is not None:
            faults.append((len(rows), None, *fault))
        first_lines.append(text.file_line(number))
        rows.append([None if fault else row[place] or None for place in layout.columns])
    schema = dict.fromkeys(layout.columns.values(), pl.String)
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return ParsedRows(
        frame,
        build_faults_frame(faults),
        lambda rows: [first_lines[row] for row in rows],
        blank_lines,
    )


def _find_row_fault(row: list[str], width: int, expected_width: int) -> tuple[str, str] | None:
    text = "".join(row)
    if "\0" in text:
        return "forbidden_character", "must not contain a NUL character"
    if _INVALID_BYTES.search(text):
        return "not_utf_8", "must be UTF-8, as the rest of the file"
    if width != expected_width:
        return _CELLS, f"must have {expected_width} cells"
    return None


def _read_rows(text: TextLines, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield every row, blank ones too, with the number of its first line, from 0."""
    csv.field_size_limit(RECORD_BYTES)
    lines = io.StringIO(text.raw.decode("utf-8", "surrogateescape"), newline="")
    reader = csv.reader(lines, delimiter=separator)
    lines_before = 0
    for row in reader:
        yield lines_before, row
        lines_before = reader.line_num


def _find_lines(text: TextLines, separator: str, height: int, rows: list[int]) -> list[int]:
    """Return the first line of these rows; lines are only counted if a cell has a newline."""
    if len(text.places) == height:
        return [text.file_line(row) for row in rows]
    first_lines = [text.file_line(number) for number, row in _read_rows(text, separator) if row]
    return [first_lines[row] for row in rows]
