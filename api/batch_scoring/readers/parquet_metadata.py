"""Reads the metadata of a Parquet file: how much memory unpacking its columns would take.

Nothing is unpacked. The footer and the page headers are read directly, because a decoder allocates
by them, and a few bytes can declare any number of values.
"""

from collections.abc import Collection, Iterator
from mmap import mmap
from typing import Any, NamedTuple

from api.batch_scoring.file_formats import UnusableInputError

FOOTER_BYTES = 8 * 1024 * 1024
"""The longest accepted footer."""

_MAGIC = b"PAR1"
_DICTIONARY_PAGE = 2
_MAX_DEPTH = 16
_TRUE, _FALSE, _BYTE = 1, 2, 3


class ColumnSizes(NamedTuple):
    """The sizes of a column of a row group, from its page headers.

    `bytes` and `page` (the largest page) are unpacked bytes. Each element of a list counts as a
    value, and an empty list as one. `words` are the bytes of dictionaries, included in `bytes`.
    """

    values: int = 0
    unpacked_bytes: int = 0
    dictionary_bytes: int = 0
    largest_page_bytes: int = 0


class RowGroup(NamedTuple):
    """A row group: its number of rows and its columns by name; a list is one column."""

    rows: int
    columns: dict[str, ColumnSizes]


def read_row_groups(content: memoryview | mmap, names: Collection[str]) -> list[RowGroup]:
    """Read the row groups, with the columns of these names. Raises UnusableInputError."""
    try:
        footer = _read_footer(content)
        return [_read_group(content, group, names) for group in footer.get(4, [])]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise UnusableInputError("the file is no Parquet, or is damaged") from None


def _read_footer(content: memoryview | mmap) -> dict[int, Any]:
    size = len(content)
    length = int.from_bytes(content[size - 8 : size - 4], "little")
    if bytes(content[size - 4 : size]) != _MAGIC or length > size - 12:
        raise ValueError
    if length > FOOTER_BYTES:
        raise UnusableInputError(f"its footer must not be longer than {FOOTER_BYTES:,} bytes")
    return _ThriftReader(content, size - 8 - length, size - 8).read_struct()


def _read_group(
    content: memoryview | mmap, group: dict[int, Any], names: Collection[str]
) -> RowGroup:
    columns: dict[str, ColumnSizes] = {}
    for chunk in group[1]:
        metadata = chunk[3]
        name = metadata[3][0].decode()
        if name in names:
            columns[name] = _read_column(content, metadata, columns.get(name, ColumnSizes()))
    return RowGroup(_non_negative(group[3]), columns)


def _read_column(
    content: memoryview | mmap, metadata: dict[int, Any], total: ColumnSizes
) -> ColumnSizes:
    values, size, words, largest = total
    for kind, unpacked, count in _read_pages(content, metadata):
        size += unpacked
        largest = max(largest, unpacked)
        if kind == _DICTIONARY_PAGE:
            words += unpacked
        else:
            values += count
    return ColumnSizes(values, size, words, largest)


def _read_pages(
    content: memoryview | mmap, metadata: dict[int, Any]
) -> Iterator[tuple[int, int, int]]:
    """Yield the kind, unpacked bytes and number of values of each page of a column."""
    position = _non_negative(metadata.get(11) or metadata[9])
    end = position + _non_negative(metadata[7])
    if end > len(content):
        raise ValueError
    while position < end:
        reader = _ThriftReader(content, position, end)
        header = reader.read_struct()
        page = header.get(5) or header.get(8) or header.get(7) or {}
        yield header[1], _non_negative(header[2]), _non_negative(page.get(1, 0))
        position = reader.position + _non_negative(header[3])


def _non_negative(value: int) -> int:
    if value < 0:
        raise ValueError
    return value


class _ThriftReader:
    """Reads Thrift's compact protocol between two positions: structs as dicts by field number.

    Raises IndexError if the content ends too early, ValueError if it is malformed.
    """

    def __init__(self, content: memoryview | mmap, position: int, end: int) -> None:
        self._content, self.position, self._end = content, position, end

    def read_struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > _MAX_DEPTH:
            raise ValueError
        fields: dict[int, Any] = {}
        number = 0
        while head := self._read_byte():
            number = number + (head >> 4) if head >> 4 else self._read_integer()
            fields[number] = self._read_value(head & 15, depth)
        return fields

    def _read_value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2:
                value: Any = kind == _TRUE
            case 3:
                value = self._read_byte()
            case 4 | 5 | 6:
                value = self._read_integer()
            case 7:
                value = self._read_bytes(8)
            case 8:
                value = self._read_bytes(self._read_varint())
            case 9 | 10:
                value = self._read_list(depth + 1)
            case 12:
                value = self.read_struct(depth + 1)
            case _:
                raise ValueError
        return value

    def _read_list(self, depth: int) -> list[Any]:
        if depth > _MAX_DEPTH:
            raise ValueError
        head = self._read_byte()
        count, kind = head >> 4, head & 15
        if count == 15:
            count = self._read_varint()
        kind = _BYTE if kind in (_TRUE, _FALSE) else kind
        return [self._read_value(kind, depth) for _ in range(count)]

    def _read_integer(self) -> int:
        zigzag = self._read_varint()
        return (zigzag >> 1) ^ -(zigzag & 1)

    def _read_varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._read_byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError

    def _read_byte(self) -> int:
        return self._read_bytes(1)[0]

    def _read_bytes(self, count: int) -> bytes:
        start, self.position = self.position, self.position + count
        if self.position > self._end:
            raise IndexError
        return bytes(self._content[start : self.position])
