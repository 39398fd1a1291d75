"""The pages of a Parquet file: its bytes in, what unpacking its columns would take out.

Nothing is unpacked for it: the footer and the header of each page are read as they stand, which is
what whoever unpacks the page goes by. A few bytes can stand for as many values as one likes.
"""

from collections.abc import Collection, Iterator
from mmap import mmap
from typing import Any, NamedTuple

from api.batch_scoring.file_formats import UnusableInputError

FOOTER_BYTES = 8 * 1024 * 1024
"""The longest footer that is read."""

_MAGIC = b"PAR1"
_DICTIONARY_PAGE = 2
_DEEPEST = 16
_TRUE, _FALSE, _BYTE = 1, 2, 3


class Column(NamedTuple):
    """A column of a row group as its pages tell: values, bytes unpacked, the largest page's bytes.

    Of a list each element is a value, and an empty list is one. `words` are the bytes of what is
    written once and meant often; they are counted in `bytes` too.
    """

    values: int = 0
    bytes: int = 0
    words: int = 0
    page: int = 0


class Group(NamedTuple):
    """A row group: how many rows, and its columns by name; a list is one column."""

    rows: int
    columns: dict[str, Column]


def groups_of(content: memoryview | mmap, names: Collection[str]) -> list[Group]:
    """The row groups with the columns of these names. Raises UnusableInputError."""
    try:
        footer = _footer(content)
        return [_group(content, each, names) for each in footer.get(4, [])]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise UnusableInputError("the file is no Parquet, or is damaged") from None


def _footer(content: memoryview | mmap) -> dict[int, Any]:
    size = len(content)
    length = int.from_bytes(content[size - 8 : size - 4], "little")
    if bytes(content[size - 4 : size]) != _MAGIC or length > size - 12:
        raise ValueError
    if length > FOOTER_BYTES:
        raise UnusableInputError(f"its footer must not be longer than {FOOTER_BYTES:,} bytes")
    return _Thrift(content, size - 8 - length, size - 8).struct()


def _group(content: memoryview | mmap, group: dict[int, Any], names: Collection[str]) -> Group:
    columns: dict[str, Column] = {}
    for chunk in group[1]:
        told = chunk[3]
        name = told[3][0].decode()
        if name in names:
            columns[name] = _column(content, told, columns.get(name, Column()))
    return Group(_count(group[3]), columns)


def _column(content: memoryview | mmap, told: dict[int, Any], before: Column) -> Column:
    values, size, words, largest = before
    for kind, unpacked, held in _pages(content, told):
        size += unpacked
        largest = max(largest, unpacked)
        if kind == _DICTIONARY_PAGE:
            words += unpacked
        else:
            values += held
    return Column(values, size, words, largest)


def _pages(content: memoryview | mmap, told: dict[int, Any]) -> Iterator[tuple[int, int, int]]:
    """Kind, unpacked bytes and values of each page of a column."""
    place = _count(told.get(11) or told[9])
    end = place + _count(told[7])
    if end > len(content):
        raise ValueError
    while place < end:
        reader = _Thrift(content, place, end)
        header = reader.struct()
        about = header.get(5) or header.get(8) or header.get(7) or {}
        yield header[1], _count(header[2]), _count(about.get(1, 0))
        place = reader.place + _count(header[3])


def _count(value: int) -> int:
    if value < 0:
        raise ValueError
    return value


class _Thrift:
    """Thrift's compact protocol, read between two places: structs by the numbers of their fields.

    Raises IndexError where it ends too early, ValueError for what does not stand there.
    """

    def __init__(self, content: memoryview | mmap, place: int, end: int) -> None:
        self._content, self.place, self._end = content, place, end

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields of the struct that begins here."""
        if depth > _DEEPEST:
            raise ValueError
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2:
                value: Any = kind == _TRUE
            case 3:
                value = self._byte()
            case 4 | 5 | 6:
                value = self._integer()
            case 7:
                value = self._taken(8)
            case 8:
                value = self._taken(self._varint())
            case 9 | 10:
                value = self._list(depth + 1)
            case 12:
                value = self.struct(depth + 1)
            case _:
                raise ValueError
        return value

    def _list(self, depth: int) -> list[Any]:
        if depth > _DEEPEST:
            raise ValueError
        head = self._byte()
        count, kind = head >> 4, head & 15
        if count == 15:
            count = self._varint()
        kind = _BYTE if kind in (_TRUE, _FALSE) else kind
        return [self._value(kind, depth) for _ in range(count)]

    def _integer(self) -> int:
        zigzag = self._varint()
        return (zigzag >> 1) ^ -(zigzag & 1)

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError

    def _byte(self) -> int:
        return self._taken(1)[0]

    def _taken(self, count: int) -> bytes:
        start, self.place = self.place, self.place + count
        if self.place > self._end:
            raise IndexError
        return bytes(self._content[start : self.place])
