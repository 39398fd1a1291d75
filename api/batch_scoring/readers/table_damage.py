"""Finds damage of tables that their libraries pass over: a cut file, a wrong number of rows."""

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import polars as pl

from api.batch_scoring.file_formats import UnusableInputError

_CONTINUATION = b"\xff\xff\xff\xff"
_ARCHIVE_ERRORS = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError
)  # fmt: skip
_BLOCK_BYTES = 24
_END_BYTES = 10
"""An Arrow file ends with the length of its footer and its mark."""

_EMPTY_BYTES = 256
"""A file without rows has its schema twice, and little more."""

_STATA_START, _STATA_END = b"<stata_dta>", b"</stata_dta>"
_TRANSPORT_RECORD = 80
_SPSS_MARKS = (b"$FL2", b"$FL3")
_SPSS_LAYOUT, _SPSS_COUNT = 64, 80
_UNKNOWN_COUNT = b"\xff\xff\xff\xff"


def check_file(file: Path, kind: str) -> int | None:
    """Return the rows that a file should have, if they are known. Raises UnusableInputError.

    The child process that reads the file may not open it itself.
    """
    match kind:
        case "feather":
            return count_arrow_rows(file)
        case "xlsx" | "ods":
            refuse_damaged_archive(file)
        case _:
            refuse_cut_file(file, kind)
    return None


def refuse_cut_file(file: Path, kind: str) -> None:
    """Raise UnusableInputError if a file ends early where its library would not say so."""
    is_cut = (kind == "dta" and _is_cut_stata(file)) or (
        kind == "xpt" and file.stat().st_size % _TRANSPORT_RECORD
    )
    if is_cut:
        raise UnusableInputError("the file is cut off; fetch it again")


def _is_cut_stata(file: Path) -> bool:
    """Return whether a file of tagged sections lacks its last tag."""
    with file.open("rb") as stream:
        if stream.read(len(_STATA_START)) != _STATA_START:
            return False
        stream.seek(max(0, file.stat().st_size - len(_STATA_END)))
        return stream.read() != _STATA_END


def refuse_damaged_archive(source: Path | io.BytesIO) -> None:
    """Raise UnusableInputError if a part of a workbook differs from its checksum.

    The reader of workbooks stops before it has compared them.
    """
    if not zipfile.is_zipfile(source):
        return
    try:
        with zipfile.ZipFile(source) as archive:
            damaged_part = archive.testzip()
    except _ARCHIVE_ERRORS:
        damaged_part = ""
    if damaged_part is not None:
        raise UnusableInputError("the workbook is damaged, or has a password")


def count_parquet_rows(rows: pl.LazyFrame) -> int:
    """Return how many values the first column has; the footer alone gives the length."""
    name = rows.collect_schema().names()[0]
    values = pl.col(name).count() + pl.col(name).null_count()
    return int(rows.select(values).collect().item())


def count_arrow_rows(source: Path | io.BytesIO) -> int:
    """Return the rows of an Arrow file by its record batches and their first columns.

    -1 if they disagree, or if much of the file belongs to no batch.
    """
    try:
        if isinstance(source, io.BytesIO):
            return _count_batches(source)
        with source.open("rb") as stream:
            return _count_batches(stream)
    except (ValueError, OSError, OverflowError, MemoryError, struct.error):
        return -1


def _count_batches(stream: BinaryIO) -> int:
    size = stream.seek(-_END_BYTES, io.SEEK_END) + _END_BYTES
    length = _read_number("<I", stream.read(4), 0)
    stream.seek(size - _END_BYTES - length)
    footer = stream.read(length)
    table = _read_number("<I", footer, 0)
    dictionaries, blocks = (_find_vector(footer, table, number) for number in (2, 3))
    count = _read_number("<I", footer, blocks) if blocks else 0
    rows = 0
    for block in range(blocks + 4, blocks + 4 + count * _BLOCK_BYTES, _BLOCK_BYTES):
        stream.seek(_read_number("<q", footer, block))
        rows += _count_batch(stream.read(_read_number("<I", footer, block + 8)))
    has_dictionary = dictionaries and _read_number("<I", footer, dictionaries)
    if count == 0 and not has_dictionary and size > 2 * length + _EMPTY_BYTES:
        raise ValueError("the footer lists no record batch")
    return rows


def _count_batch(message: bytes) -> int:
    metadata = message[8:] if message.startswith(_CONTINUATION) else message[4:]
    header = _find_field(metadata, _read_number("<I", metadata, 0), 2)
    batch = header + _read_number("<I", metadata, header)
    length = _find_field(metadata, batch, 0)
    rows = _read_number("<q", metadata, length) if length else 0
    columns = _find_vector(metadata, batch, 1)
    if columns and _read_number("<q", metadata, columns + 4) != rows:
        raise ValueError("a record batch and its first column differ in length")
    return rows


def remove_spss_count(file: Path) -> int | None:
    """Mark the number of rows in the header as unknown, so that all are read, and return it."""
    with file.open("r+b") as stream:
        header = stream.read(_SPSS_COUNT + 4)
        if header[:4] not in _SPSS_MARKS or len(header) < _SPSS_COUNT + 4:
            return None
        order = "<" if header[_SPSS_LAYOUT : _SPSS_LAYOUT + 2] != b"\0\0" else ">"
        count = _read_number(f"{order}i", header, _SPSS_COUNT)
        stream.seek(_SPSS_COUNT)
        stream.write(_UNKNOWN_COUNT)
    return None if count < 0 else count


def _find_vector(content: bytes, table: int, number: int) -> int:
    """Return the position of a vector, which begins with its length; 0 if it is left out."""
    place = _find_field(content, table, number)
    return place + _read_number("<I", content, place) if place else 0


def _find_field(content: bytes, table: int, number: int) -> int:
    """Return the position of a field of a FlatBuffers table; 0 if it is left out."""
    places = table - _read_number("<i", content, table)
    entry = 4 + 2 * number
    is_listed = entry < _read_number("<H", content, places)
    offset = _read_number("<H", content, places + entry) if is_listed else 0
    return table + offset if offset else 0


def _read_number(kind: str, content: bytes, place: int) -> int:
    if place < 0:
        raise ValueError("a position before the message")
    return int(struct.unpack_from(kind, content, place)[0])
